/**
 * Checkpoints from elsewhere, as the places that keep them wrote them down: bare lines, JSON lists of them (webhooks), or
 * lines of syslog with a checkpoint in them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from './verify-format.ts';
import type { Claim, Fault, Place } from './verify-report.ts';

const HEAD_NAME = /^w(\d+)\.head$/;
const CHECKPOINT_AT = '{"type":"checkpoint",';
/** Structured data of RFC 5424, for receivers that cut long messages. */
const ELEMENT = /\[checkpoint@\d+ worker="(\d+)" size="(\d+)" root="([0-9a-f]{64})"\]/;

/** What `given` texts and the `.head` files of a directory claim. Each text is a line, or a whole JSON document. */
export function claimsOf(
  directory: string,
  names: readonly string[],
  given: readonly string[],
  faults: Fault[],
): Claim[] {
  const claims: Claim[] = [];
  const add = (text: string, file: string, line: number): void => {
    if (text.trim() === '') return;
    const place = { worker: 0, file, offset: 0, line };
    const found = claimsIn(text.trim(), place);
    if (found.length > 0) claims.push(...found);
    else faults.push({ ...place, what: 'this is no checkpoint (it needs worker, size and root)' });
  };
  given.forEach((text, i) => {
    add(text, 'checkpoint given', i + 1);
  });
  for (const file of names)
    if (HEAD_NAME.test(file)) add(readFileSync(join(directory, file), 'utf8'), file, 1);
  return claims;
}

function claimsIn(text: string, place: Place): Claim[] {
  const value = parseAny(text);
  const listed = (Array.isArray(value) ? value : [value]).map((one) => claimOf(one, place));
  if (listed.length > 0 && listed.every((claim) => claim !== null)) return listed as Claim[];
  return fromSyslog(text, place);
}

function claimOf(value: unknown, place: Place): Claim | null {
  const { worker, size, root } = (value ?? {}) as Record<string, unknown>;
  if (typeof worker !== 'number' || typeof size !== 'number' || typeof root !== 'string') return null;
  return { worker, size, root, place: { ...place, worker } };
}

function fromSyslog(text: string, place: Place): Claim[] {
  const at = text.indexOf(CHECKPOINT_AT);
  const end = text.lastIndexOf('}') + 1;
  const claim = at < 0 ? null : claimOf(parse(text.slice(at, end)), place);
  if (claim !== null) return [claim];
  const [, worker, size, root] = ELEMENT.exec(text) ?? [];
  if (root === undefined) return [];
  return [{ worker: Number(worker), size: Number(size), root, place: { ...place, worker: Number(worker) } }];
}

function parseAny(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
