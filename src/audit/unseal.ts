/**
 * Reading what was encrypted for somebody: the private key opens the key of a segment, and that the lines of it. Shares no
 * code with `seal.ts`, so that one proves the other; docs/audit.md has the scheme octet by octet.
 */
import {
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { readFileSync } from 'node:fs';

const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
const NEWLINE = 10;
const TAG_LENGTH = 16;
const SEALED_PREFIX = Buffer.from('{"type":"sealed",');
const SEALED =
  /^(\{"type":"sealed","seq":(\d{1,16}),"count":(\d{1,9}),"key":"([0-9a-f]{16})","turn":"([0-9a-f]{4})"),"box":"([A-Za-z0-9+/]+={0,2})"\}$/;

/** Why encrypted records cannot be read, in words. */
export class Sealed extends Error {}
/** The private keys given belong to nobody to whom the records are encrypted. */
export class WrongKey extends Sealed {}

/** A line of encrypted records. */
export interface SealedLine {
  readonly seq: number;
  readonly count: number;
  /** Names the key it is encrypted under. */
  readonly key: string;
  readonly turn: number;
  /** What of the line is authenticated but not encrypted. */
  readonly head: string;
  readonly box: Buffer;
}

/** A sealed line, taken apart; null for anything else. */
export function readSealed(text: string): SealedLine | null {
  const [, head, seq, count, key, turn, box] = SEALED.exec(text) ?? [];
  if (head === undefined) return null;
  return {
    seq: Number(seq),
    count: Number(count),
    key,
    turn: Number.parseInt(turn, 16),
    head,
    box: Buffer.from(box, 'base64'),
  };
}

/** Whether the line at `at` is a sealed one. */
export const isSealedAt = (octets: Buffer, at: number): boolean =>
  octets.length >= at + SEALED_PREFIX.length &&
  octets.compare(SEALED_PREFIX, 0, SEALED_PREFIX.length, at, at + SEALED_PREFIX.length) === 0;

/** How many records the sealed line at `at` says that it has. */
export function sealedCountAt(octets: Buffer, at: number): number {
  const [, count] = /"count":(\d{1,9}),/.exec(octets.toString('latin1', at, at + 80)) ?? [];
  return Number(count ?? 0);
}

/** HKDF-Expand (RFC 5869 section 2.3) with the key of the segment as PRK. */
export function keyOfLine(secret: Buffer, { seq, turn }: Pick<SealedLine, 'seq' | 'turn'>): Buffer {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(seq));
  const info = Buffer.concat([
    Buffer.from('sallyport audit line 1'),
    number,
    Buffer.from([turn >> 8, turn & 0xff]),
  ]);
  return createHmac('sha256', secret)
    .update(Buffer.concat([info, Buffer.from([1])]))
    .digest();
}

/** The records in a sealed line, each with its newline, and newlines behind them that fill it up. Throws when it was changed. */
export function openBox(line: SealedLine, key: Buffer): Buffer {
  const end = line.box.length - TAG_LENGTH;
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12), { authTagLength: TAG_LENGTH });
  decipher.setAAD(Buffer.from(line.head));
  decipher.setAuthTag(line.box.subarray(end));
  return Buffer.concat([decipher.update(line.box.subarray(0, end)), decipher.final()]);
}

/** `octets` without the newlines that fill them up. */
export function withoutFilling(octets: Buffer): Buffer {
  let end = octets.length;
  while (end > 1 && octets[end - 1] === NEWLINE && octets[end - 2] === NEWLINE) end--;
  return octets.subarray(0, end);
}

/** The records of a sealed line, whole lines, under the key of its segment. Throws when the line was changed. */
export const openSealed = (line: SealedLine, secret: Buffer): Buffer =>
  withoutFilling(openBox(line, keyOfLine(secret, line)));

interface Holder {
  readonly key: KeyObject;
  readonly publicOctets: Buffer;
}

/** Private keys, and the keys of segments that they have opened. */
export class Unsealer {
  readonly #holders: readonly Holder[];
  readonly #secrets = new Map<string, Buffer>();

  private constructor(holders: readonly Holder[]) {
    this.#holders = holders;
  }

  /** Reads private keys (X25519, PEM) from files. Throws in words. */
  static read(files: readonly string[]): Unsealer {
    return new Unsealer(files.map(readHolder));
  }

  /** Takes note of the keys that the header of a segment wraps. Returns the first, which is the segment's own; null: none. */
  takeHeader(header: unknown): { readonly id: string; readonly secret: Buffer } | null {
    const listed = ((header ?? {}) as { sealed?: unknown }).sealed;
    if (!Array.isArray(listed) || listed.length === 0) return null;
    let own: { id: string; secret: Buffer } | null = null;
    for (const { key, to } of listed as { key: string; to: Record<string, string>[] }[]) {
      const secret = this.#secrets.get(key) ?? this.#unwrap(to);
      this.#secrets.set(key, secret);
      own ??= { id: key, secret };
    }
    return own;
  }

  #unwrap(to: readonly Record<string, string>[]): Buffer {
    for (const holder of this.#holders) {
      const mine = holder.publicOctets.toString('hex');
      const found = to.find(({ recipient }) => recipient === mine);
      if (found !== undefined) return unwrap(holder, found);
    }
    const whose = to.map(({ recipient }) => `${recipient?.slice(0, 16)}…`).join(', ');
    const given = this.#holders.map(({ publicOctets }) => `${publicOctets.toString('hex').slice(0, 16)}…`);
    throw new WrongKey(
      `the records are encrypted to ${whose}; the private key given belongs to ${given.join(', ')}`,
    );
  }

  /** The key of the segment in which a line was sealed. Throws Sealed when no header has told it. */
  secretOf(line: SealedLine): Buffer {
    const secret = this.#secrets.get(line.key);
    if (secret === undefined) throw new Sealed(`no header names the key ${line.key} of record ${line.seq}`);
    return secret;
  }

  /** The key of a line. Throws Sealed. */
  keyOf(line: SealedLine): Buffer {
    return keyOfLine(this.secretOf(line), line);
  }

  /** The records of a sealed line, whole lines. Throws Sealed. */
  open(line: SealedLine): Buffer {
    const key = this.keyOf(line);
    try {
      return withoutFilling(openBox(line, key));
    } catch {
      throw new Sealed(`the line with records from ${line.seq} on does not open: it was changed`);
    }
  }
}

function unwrap({ key, publicOctets }: Holder, { ephemeral, wrapped }: Record<string, string>): Buffer {
  try {
    const point = Buffer.from(ephemeral, 'hex');
    const publicKey = createPublicKey({
      key: Buffer.concat([SPKI_PREFIX, point]),
      format: 'der',
      type: 'spki',
    });
    const shared = diffieHellman({ privateKey: key, publicKey });
    const salt = Buffer.concat([point, publicOctets]);
    const wrapKey = Buffer.from(hkdfSync('sha256', shared, salt, 'sallyport audit segment key 1', 32));
    const octets = Buffer.from(wrapped, 'hex');
    const decipher = createDecipheriv('aes-256-gcm', wrapKey, Buffer.alloc(12), {
      authTagLength: TAG_LENGTH,
    });
    decipher.setAuthTag(octets.subarray(32));
    return Buffer.concat([decipher.update(octets.subarray(0, 32)), decipher.final()]);
  } catch {
    throw new Sealed('the header does not hold the key of the segment as it was wrapped: it was changed');
  }
}

function readHolder(file: string): Holder {
  const pem = readFileSync(file, 'utf8');
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new Error(
      `${file} holds no private key in PEM; give the private file that "sallyport audit keygen" made`,
    );
  }
  if (key.asymmetricKeyType !== 'x25519') {
    throw new Error(`${file} holds a key of type ${key.asymmetricKeyType}; X25519 is needed`);
  }
  const publicOctets = createPublicKey(key)
    .export({ format: 'der', type: 'spki' })
    .subarray(SPKI_PREFIX.length);
  return { key, publicOctets };
}

const NO_KEY =
  'its records are encrypted; give the private key of a recipient with --decrypt-key FILE (made by "sallyport audit keygen")';

/** The lines of a segment with every sealed one replaced by its records. Throws Sealed, in words with the file's name. */
export function unsealSegment(file: string, octets: Buffer, unsealer: Unsealer | null): Buffer {
  if (octets.indexOf(SEALED_PREFIX) < 0) return octets;
  if (unsealer === null) throw new Sealed(`${file}: ${NO_KEY}`);
  const pieces: Buffer[] = [];
  let plainAt = 0;
  try {
    unsealer.takeHeader(parse(octets.toString('utf8', 0, octets.indexOf(NEWLINE))));
    for (let at = octets.indexOf(SEALED_PREFIX); at >= 0; at = octets.indexOf(SEALED_PREFIX, at)) {
      const end = octets.indexOf(NEWLINE, at);
      if (end < 0) break;
      const line =
        at === 0 || octets[at - 1] === NEWLINE ? readSealed(octets.toString('latin1', at, end)) : null;
      if (line !== null) {
        pieces.push(octets.subarray(plainAt, at), unsealer.open(line));
        plainAt = end + 1;
      }
      at = end + 1;
    }
  } catch (error) {
    throw error instanceof Sealed ? Object.assign(error, { message: `${file}: ${error.message}` }) : error;
  }
  pieces.push(octets.subarray(plainAt));
  return Buffer.concat(pieces);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
