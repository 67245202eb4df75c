/** HTTP for metrics, health, API and reload; the operational log; stopping in order. */
export { gateFault, isLoopback } from './gate.ts';
export { createLog, type Log, type LogOptions } from './log.ts';
export type {
  ControlRoom,
  ExplainQuestion,
  ExplainResult,
  ReleaseAnswer,
  ReleaseQuestion,
  ReloadResult,
} from './room.ts';
export {
  CONTROL_LIMITS,
  type ControlLog,
  type ControlOptions,
  type ControlServer,
  startControl,
} from './server.ts';
export { createStop, onSignals, type Stop, type StopOptions } from './stop.ts';
