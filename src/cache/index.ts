/** Responses: find, age, store. Pure: the clock is handed in. */
export * from './cache.ts';
export * from './cell.ts';
export { type HotStore, NO_RECORD } from './hot-store.ts';
export * from './serve.ts';
