/**
 * Times and sizes as people write them. In files they are text with a unit; once read, every time is a number of
 * milliseconds and every size a number of octets, whatever unit was written.
 */
import { z } from 'zod';

/** Milliseconds. */
export type Milliseconds = number;
/** Octets. */
export type Octets = number;

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const OCTETS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1000,
  MB: 1000 ** 2,
  GB: 1000 ** 3,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Milliseconds of "250ms", "30s", "5m", "1h", "7d", or null when the text is not a time. */
export const readDuration = (text: string): Milliseconds | null => read(text, MILLISECONDS);

/** Octets of "512B", "16KiB", "64MiB", "1GiB" (or kB, MB, GB: powers of 1000), or null when the text is not a size. */
export const readSize = (text: string): Octets | null => read(text, OCTETS);

function read(text: string, units: Readonly<Record<string, number>>): number | null {
  const parts = /^(\d{1,9}(?:\.\d{1,3})?) ?([a-zA-Z]{1,3})$/.exec(text.trim());
  if (parts === null || !Object.hasOwn(units, parts[2])) return null;
  return Math.round(Number(parts[1]) * units[parts[2]]);
}

interface Bounds {
  readonly least?: string;
  readonly most?: string;
}

/** A time with a default; parsed to milliseconds. */
export const duration = (preset: string, description: string, bounds: Bounds = {}) =>
  quantity('a time', readDuration, '^\\d+(\\.\\d+)? ?(ms|s|m|h|d)$', bounds, preset)
    .prefault(preset)
    .meta({ description });

/** A time that may be left out; parsed to milliseconds. */
export const optionalDuration = (description: string, bounds: Bounds = {}) =>
  quantity('a time', readDuration, '^\\d+(\\.\\d+)? ?(ms|s|m|h|d)$', bounds, bounds.least ?? '1h')
    .optional()
    .meta({ description });

/** A size with a default; parsed to octets. */
export const size = (preset: string, description: string, bounds: Bounds = {}) =>
  quantity('a size', readSize, '^\\d+(\\.\\d+)? ?(B|kB|MB|GB|KiB|MiB|GiB)$', bounds, preset)
    .prefault(preset)
    .meta({ description });

function quantity(
  kind: string,
  readText: (text: string) => number | null,
  pattern: string,
  bounds: Bounds,
  example: string,
) {
  const least = bounds.least === undefined ? 0 : (readText(bounds.least) ?? 0);
  const most = bounds.most === undefined ? Number.POSITIVE_INFINITY : (readText(bounds.most) ?? 0);
  return z
    .string({ error: `must be ${kind} with its unit; write for example "${example}"` })
    .meta({ pattern })
    .transform((text, context): number => {
      const value = readText(text);
      if (value === null) {
        context.addIssue(`"${text}" is not ${kind} with a unit; write for example "${example}"`);
        return z.NEVER;
      }
      if (value < least) context.addIssue(`${text} is too little; write at least ${bounds.least}`);
      if (value > most) context.addIssue(`${text} is too much; write at most ${bounds.most}`);
      return value;
    });
}
