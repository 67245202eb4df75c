/** HTTP for metrics, health, API and reload; the operational log; stopping in order. */
export { gateFault, isLoopback } from './gate.ts';
export { createLog, LOG_LEVELS, type Log, type LogOptions } from './log.ts';
export { escapedJson } from './reply.ts';
export type { ControlRoom, ExplainQuestion, ExplainResult, ReloadResult } from './room.ts';
export {
  CONTROL_LIMITS,
  type ControlLog,
  type ControlOptions,
  type ControlServer,
  startControl,
} from './server.ts';
export { createStop, onSignals, type Stop, type StopOptions } from './stop.ts';
