/** Per-client evidence of data leaving inside names: `check` and `observe` in the worker, the slow view beside it. */
export type {
  Action,
  Alarm,
  AlarmRule,
  Block,
  Charge,
  Form,
  Profile,
  Scope,
  Standing,
  Verdict,
} from './contract.ts';
export { createFastPath, type FastPath, type FastPathOptions } from './fast-path.ts';
export { HOLD_SECONDS_MAX, LIMITS } from './limits.ts';
export { createDetectMemory, type DetectMemory, type MemoryOptions } from './memory.ts';
export { SERVICES, type Service } from './profiles/services.ts';
export { findSecrets, findSecretsInText, type Secret, type SecretKind } from './secrets.ts';
export { createSlowView, type SlowState, type SlowView, type SlowViewOptions } from './slow-view.ts';
