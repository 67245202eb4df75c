/**
 * Keys of pseudonyms that change: one for each period, made by whichever worker needs it first, kept for a while, then
 * destroyed. Once its key is gone a pseudonym leads to nobody, and what was pseudonymous is anonymous.
 *
 *    20261124T000000Z-20261125T000000Z.key     period; 64 hex digits and a newline; mode 0600 in a directory of mode 0700
 *
 * A pseudonym is `p:` and six digits that name its key, `:`, and sixteen that name the client under it: the first 64 bits of
 * HMAC-SHA-256 of the address. The six digits are HMAC-SHA-256 of the word `key` under the key itself.
 */
import { createHmac, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { ClientPrivacy } from './client.ts';
import type { NoteMembers } from './contract.ts';
import { destroyKey } from './ship-keys.ts';

const NAME = /^(\d{8}T\d{6}Z)-(\d{8}T\d{6}Z)\.key$/;
const TEXT = /^[0-9a-f]{64}\n?$/;

/** The key of one period. */
export interface PeriodKey {
  readonly fromMs: number;
  readonly untilMs: number;
  readonly key: Buffer;
  /** Stands between `p:` and the pseudonym, `:` included; empty for a key that never changes. */
  readonly prefix: string;
}

/** `p:` and what names an address, of 4 or 16 octets, under a key. */
export function pseudonym(address: Uint8Array, length: number, key: Uint8Array, prefix: string): string {
  const digest = createHmac('sha256', key).update(address.subarray(0, length)).digest('hex');
  return `p:${prefix}${digest.slice(0, 16)}`;
}

const prefixOf = (key: Uint8Array): string =>
  `${createHmac('sha256', key).update('key').digest('hex').slice(0, 6)}:`;

const stamp = (atMs: number): string => new Date(atMs).toISOString().replace(/[-:]|\.\d+/g, '');

function readStamp(text: string): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  return Date.UTC(+year, +month - 1, +day, +hour, +minute, +second);
}

export interface PseudonymOptions {
  readonly directory: string;
  /** Length of a period, whole seconds; periods begin at multiples of it since 1970. Milliseconds. */
  readonly rotateMs: number;
  /** How long a key is kept after its period. */
  readonly keepMs: number;
  /** Told when a period's key could not be kept on the disk: its pseudonyms cannot be traced back by anybody. */
  readonly onTrouble: (why: string) => void;
}

export class PseudonymKeys {
  readonly #options: PseudonymOptions;

  /** Makes the directory. Throws what the file system says. */
  constructor(options: PseudonymOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  /** The key of the period that `atMs` lies in; made when there is none. Never throws. */
  at(atMs: number): PeriodKey {
    const { directory, rotateMs, onTrouble } = this.#options;
    const fromMs = Math.floor(atMs / rotateMs) * rotateMs;
    const untilMs = fromMs + rotateMs;
    const path = join(directory, `${stamp(fromMs)}-${stamp(untilMs)}.key`);
    let key: Buffer;
    try {
      key = readKey(path) ?? makeKey(directory, path);
    } catch (error) {
      // Privacy first: the old key is not used on. What is lost is that an operator can look this period up.
      key = randomBytes(32);
      onTrouble(`${path}: ${(error as Error).message}`);
    }
    return { fromMs, untilMs, key, prefix: prefixOf(key) };
  }

  /** Destroys the keys whose time is over. Returns until when pseudonyms are anonymous now; null: nothing was destroyed. */
  destroyOld(nowMs: number): number | null {
    const { directory, keepMs } = this.#options;
    let anonymousMs: number | null = null;
    for (const file of readdirSync(directory)) {
      const untilMs = readStamp(NAME.exec(file)?.[2] ?? '');
      if (Number.isNaN(untilMs) || untilMs + keepMs > nowMs) continue;
      if (destroyKey(join(directory, file))) anonymousMs = Math.max(anonymousMs ?? 0, untilMs);
    }
    return anonymousMs;
  }
}

/** Null when there is none. Throws in words when the file holds no key. */
function readKey(path: string): Buffer | null {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  if (!TEXT.test(text)) throw new Error('this is no key of pseudonyms (64 hex digits); move it away');
  return Buffer.from(text.trim(), 'hex');
}

/** Several workers may make the key of a period at once: the first name wins, and all read what it names. */
function makeKey(directory: string, path: string): Buffer {
  const fresh = join(directory, `${randomBytes(8).toString('hex')}.new`);
  const fd = openSync(fresh, 'wx', 0o600);
  try {
    writeSync(fd, `${randomBytes(32).toString('hex')}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  try {
    linkSync(fresh, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(fresh);
  }
  return readKey(path) ?? Buffer.alloc(0);
}

/**
 * Every pseudonym that an address (4 or 16 octets) has under the keys at `source`: a directory of keys that change, or
 * one key file. Throws in words.
 */
export function pseudonymsOf(address: Uint8Array, source: string): string[] {
  if (!statSync(source).isDirectory()) return [pseudonym(address, address.length, readFileSync(source), '')];
  return readdirSync(source)
    .filter((file) => NAME.test(file))
    .sort()
    .map((file) => {
      const key = readKey(join(source, file)) ?? Buffer.alloc(32);
      return pseudonym(address, address.length, key, prefixOf(key));
    });
}

/** Destroys keys whose time is over; pseudonyms under them are anonymous, and the chain says from when on. Never throws. */
export function anonymise(
  clients: ClientPrivacy,
  nowMs: number,
  note: (type: string, members: NoteMembers) => void,
): void {
  let untilMs: number | null = null;
  try {
    if ('keys' in clients) untilMs = clients.keys.destroyOld(nowMs);
  } catch {
    // The directory cannot be read at present; the next round sees it.
  }
  if (untilMs === null) return;
  const why = 'the keys of pseudonyms were kept long enough and are destroyed';
  note('anonymised', { until: new Date(untilMs).toISOString(), why });
}
