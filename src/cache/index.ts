/** Responses: find, age, store. Pure: the clock is handed in. */
export * from './cache.ts';
export * from './cell.ts';
export * from './serve.ts';
