/** Counters as typed arrays, one set for each worker, and the page that Prometheus reads. */
export { At, decisionAt, type PlainName } from './catalogue.ts';
export { Counters, createCounters, openCounters } from './counters.ts';
export {
  createExposition,
  describeFamilies,
  type Exposition,
  type Family,
  type MetricsSources,
  type PolicySample,
  type Sample,
  type UpstreamSample,
} from './exposition.ts';
export { publishLag } from './lag.ts';
