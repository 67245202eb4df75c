/**
 * `node --import …/register.js sallyport serve`: Sallyport without its audit, to see what the audit costs. There is no
 * such setting: a log that keeps nothing exists in the bench only.
 */
import { register } from 'node:module';

register('./hooks.js', import.meta.url);
