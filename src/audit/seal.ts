/**
 * Records that their own writer cannot read again: each batch is encrypted under a key that is made for the segment, held in
 * memory only, and wrapped to the public keys of those who may read (docs/audit.md has the scheme octet by octet).
 *
 *    header   …,"sealed":[{"key":"<id>","to":[{"recipient":"<hex>","ephemeral":"<hex>","wrapped":"<hex>"}]}],…
 *    batch    {"type":"sealed","seq":1,"count":64,"key":"<id>","turn":"0000","box":"<base64>"}
 *
 * The tree is over these lines, not over what is in them: who has no key can still check that nothing was changed, removed or
 * added. Encrypted, an entry is about a third longer, and does not compress.
 */
import {
  createCipheriv,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { SegmentKey } from './ship-keys.ts';

const WRAP_INFO = 'sallyport audit segment key 1';
const LINE_INFO = Buffer.from('sallyport audit line 1', 'latin1');
const CIPHER = 'aes-256-gcm';
/** Each key encrypts once, so the nonce need not differ. */
const NONCE = Buffer.alloc(12);
const TAG_LENGTH = 16;
/** What is encrypted is filled up with newlines to a multiple of this, so that its length tells little (cf. RFC 8467). */
const PAD = 128;
const NEWLINE = 10;

/** SubjectPublicKeyInfo of X25519 (RFC 8410 section 4) up to the 32 octets of the key itself. */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

/** A public key of somebody who may read. */
export interface Recipient {
  readonly key: KeyObject;
  readonly octets: Buffer;
}

/** The key of a segment, wrapped to one recipient. */
interface Wrapped {
  readonly recipient: string;
  readonly ephemeral: string;
  readonly wrapped: string;
}

/** What a header says of one key. */
export interface SealedTo {
  readonly key: string;
  readonly to: readonly Wrapped[];
}

const publicOctets = (key: KeyObject): Buffer =>
  key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);

/** Reads a recipient: a PEM text, or the path of a file that holds one. Throws in words. */
export function readRecipient(text: string): Recipient {
  const isText = text.includes('-----BEGIN');
  const where = isText ? 'the key' : text;
  const pem = isText ? text : readFileSync(text, 'utf8');
  if (pem.includes('PRIVATE KEY')) {
    throw new Error(
      `${where} holds a private key, which must not lie on the resolver; give the public one ("sallyport audit keygen" makes both)`,
    );
  }
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    throw new Error(`${where} holds no public key in PEM; make a pair with "sallyport audit keygen"`);
  }
  if (key.asymmetricKeyType !== 'x25519') {
    throw new Error(
      `${where} holds a key of type ${key.asymmetricKeyType}; X25519 is needed, as "sallyport audit keygen" makes it`,
    );
  }
  return { key, octets: publicOctets(key) };
}

function wrap(secret: Buffer, { key, octets }: Recipient): Wrapped {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const ephemeral = publicOctets(publicKey);
  const shared = diffieHellman({ privateKey, publicKey: key });
  const wrapKey = Buffer.from(hkdfSync('sha256', shared, Buffer.concat([ephemeral, octets]), WRAP_INFO, 32));
  const cipher = createCipheriv(CIPHER, wrapKey, NONCE);
  const wrapped = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  return {
    recipient: octets.toString('hex'),
    ephemeral: ephemeral.toString('hex'),
    wrapped: wrapped.toString('hex'),
  };
}

/** HKDF-Expand (RFC 5869 section 2.3) to 32 octets, which is one HMAC. */
function lineKey(secret: Buffer, seq: number, turn: number): Buffer {
  const tail = Buffer.alloc(11);
  tail.writeBigUInt64BE(BigInt(seq));
  tail.writeUInt16BE(turn, 8);
  tail[10] = 1;
  return createHmac('sha256', secret).update(LINE_INFO).update(tail).digest();
}

const sealedHead = (seq: number, count: number, id: string, turn: number): string =>
  `{"type":"sealed","seq":${seq},"count":${count},"key":"${id}","turn":"${turn.toString(16).padStart(4, '0')}"`;

/** Octets that a sealed line has at most for so many octets of records. */
export const sealedLengthMax = (length: number): number =>
  Math.ceil((length + PAD + TAG_LENGTH) / 3) * 4 + 192;

/**
 * One line that holds `records`, whole lines of which there are `count` and the first has number `seq`. `turn` is 0; a line
 * that is made anew in the place of another takes the next, because no key may encrypt twice. `length`: of what is
 * encrypted, newlines included; the least that fits otherwise.
 */
export function sealLine(
  secret: Buffer,
  id: string,
  seq: number,
  count: number,
  records: Uint8Array,
  turn = 0,
  length = Math.ceil(records.length / PAD) * PAD,
): Buffer {
  const head = sealedHead(seq, count, id, turn);
  const cipher = createCipheriv(CIPHER, lineKey(secret, seq, turn), NONCE);
  cipher.setAAD(Buffer.from(head, 'latin1'));
  const filling = Buffer.alloc(length - records.length, NEWLINE);
  const box = Buffer.concat([
    cipher.update(records),
    cipher.update(filling),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return Buffer.from(`${head},"box":"${box.toString('base64')}"}\n`, 'latin1');
}

/** The keys of one worker's segments, as they follow one another. */
export class Sealer {
  readonly #recipients: readonly Recipient[];
  #secret: Buffer = Buffer.alloc(0);
  #current: SealedTo = { key: '', to: [] };

  constructor(recipients: readonly Recipient[]) {
    this.#recipients = recipients;
  }

  /**
   * A new key, for a new segment. Returns what its header says of keys: of the one before as well when lines that it sealed
   * are still on their way (`hasUnwritten`). `keep` is shown both before anything changes; what it throws is thrown.
   */
  begin(
    hasUnwritten: boolean,
    keep: ((keys: readonly SegmentKey[]) => void) | null = null,
  ): readonly SealedTo[] {
    const before = this.#current;
    const isBeforeNamed = hasUnwritten && before.key !== '';
    const secret = randomBytes(32);
    const id = randomBytes(8).toString('hex');
    keep?.([{ id, secret }, ...(isBeforeNamed ? [{ id: before.key, secret: this.#secret }] : [])]);
    this.#secret.fill(0);
    this.#secret = secret;
    this.#current = { key: id, to: this.#recipients.map((recipient) => wrap(secret, recipient)) };
    return isBeforeNamed ? [this.#current, before] : [this.#current];
  }

  seal(seq: number, count: number, records: Uint8Array): Buffer {
    return sealLine(this.#secret, this.#current.key, seq, count, records);
  }
}
