/** Judging what an upstream sent: which of its records may go back to a client. Pure. */
export * from './answer.ts';
export * from './read-answer.ts';
