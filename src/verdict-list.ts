/**
 * The list of verdicts over a restart: one JSON file beside the detector's state, written anew whenever the list has
 * changed, and moved into place. What cannot be read is named and left out: a resolver without its list is better than none.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { KeptVerdict } from './verdicts.ts';

const FILE = 'verdicts.json';
/** A thousand verdicts with their sentences are well below. */
const OCTETS_MAX = 16 * 1024 * 1024;
const TEXT_MAX = 4096;

const int32 = z.int().min(-0x8000_0000).max(0x7fff_ffff);
const time = z.number().min(0).max(8.64e15);
const text = z.string().max(TEXT_MAX);

const Kept = z.strictObject({
  verdict: z.strictObject({
    scope: z.enum(['client+domain', 'domain', 'client']),
    action: z.enum(['alert', 'block', 'hold']),
    rule: z.enum(['name', 'burst', 'download', 'order', 'day', 'month', 'domain', 'form', 'client']),
    clientA: int32,
    clientB: int32,
    zoneA: int32,
    zoneB: int32,
    scoreBits: z.number(),
    limitBits: z.number(),
    firstSeenMs: time,
    decidedAtMs: time,
    untilMs: time,
    evidence: z.array(text).max(64),
  }),
  zone: text,
  client: text,
  group: text,
  action: z.enum(['alert', 'throttle', 'block', 'block-all', 'quarantine']),
  left: z.strictObject({ queries: z.number().min(0), octets: z.number().min(0) }),
  released: z.boolean(),
  isOver: z.boolean(),
});

const List = z.strictObject({
  version: z.literal(1),
  /** Keys mean nothing under another seed. */
  seed: int32,
  verdicts: z.array(Kept).max(1000),
});

export interface ReadList {
  /** The oldest first. */
  readonly verdicts: readonly KeptVerdict[];
  /** Under which their keys were made; null without a list. */
  readonly seed: number | null;
  /** Why there is none, or null when there never was one. */
  readonly fault: string | null;
}

export function readVerdictList(directory: string): ReadList {
  const none = (fault: string | null): ReadList => ({ verdicts: [], seed: null, fault });
  try {
    const octets = readFileSync(join(directory, FILE));
    if (octets.length > OCTETS_MAX) return none(`it is larger than ${OCTETS_MAX} octets`);
    const read = List.safeParse(JSON.parse(octets.toString('utf8')));
    if (!read.success) {
      const { path, message } = read.error.issues[0];
      return none(`${path.join('.') || 'the file'}: ${message}`);
    }
    return { verdicts: read.data.verdicts, seed: read.data.seed, fault: null };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return none(code === 'ENOENT' ? null : message);
  }
}

/** Throws what the disk says. */
export function writeVerdictList(directory: string, seed: number, verdicts: readonly KeptVerdict[]): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const temporary = join(directory, `${FILE}.new`);
  const list: z.infer<typeof List> = {
    version: 1,
    seed,
    verdicts: verdicts.map((kept) => ({
      ...kept,
      verdict: { ...kept.verdict, evidence: kept.verdict.evidence.map((one) => one.slice(0, TEXT_MAX)) },
    })),
  };
  writeFileSync(temporary, JSON.stringify(list), { mode: 0o600 });
  renameSync(temporary, join(directory, FILE));
}
