/** One report for a period: what may leave, what left, what was stopped, and whether the log that says so is whole. */
export { Activity } from './activity.ts';
export { makeReport } from './make-report.ts';
export { renderPage } from './page.ts';
export { reportText } from './report.ts';
export { readSigningKey, readVerifyingKey, sign, verifySigned } from './signature.ts';
