/** Rules compiled into shared memory; question → verdict. */
export * from './contract.ts';
export * from './source.ts';
