/** Rules compiled into shared memory; question → verdict. */

export { type Compilation, type CompileOptions, compilePolicy } from './compile.ts';
export * from './contract.ts';
export { DEFAULT_ALLOW_TYPES } from './description.ts';
export { FAULTS_PER_LIST_MAX, type ListSummary } from './lists.ts';
export { openPolicy } from './open.ts';
export { type ParsedZone, parseLocalZone } from './parse-zone.ts';
export * from './source.ts';
