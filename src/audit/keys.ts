/**
 * The keys that sign checkpoints (Ed25519, RFC 8032). A key signs for a while, announces its successor in a signed
 * checkpoint and is then erased: who takes the machine over later finds no key with which to rewrite what was signed
 * before (as in journald's forward-secure sealing).
 *
 *    keys.pub   `w0 <64 hex digits>` per worker: the first public keys. Keep a copy elsewhere: it is what `verify --key`
 *               trusts.
 *    w0.key     the key in use, and its successor while the change is not written yet. Mode 0600.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** SubjectPublicKeyInfo of Ed25519 (RFC 8410 section 4) up to the 32 octets of the key itself. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** What precedes the signed octets, so that a signature for something else can never pass as a checkpoint. */
const SIGNING_CONTEXT = 'sallyport audit checkpoint 1\n';

/** Where the signature begins in a checkpoint line; what is before it is signed. */
export const SIGNATURE_MEMBER = ',"sig":"';

const publicKeyHex = (key: KeyObject): string =>
  key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length).toString('hex');

const message = (text: string): Buffer => Buffer.from(SIGNING_CONTEXT + text, 'utf8');

interface Pair {
  readonly secret: KeyObject;
  readonly publicHex: string;
}

function makePair(): Pair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { secret: privateKey, publicHex: publicKeyHex(publicKey) };
}

export class Signer {
  readonly #path: string;
  #current: Pair;
  #next: Pair | null = null;

  private constructor(path: string, current: Pair) {
    this.#path = path;
    this.#current = current;
  }

  /**
   * Opens the key of a worker, or makes the first. `announced` is the newest key that the log itself announces (null
   * for a new log): after a crash it tells whether the change of keys had been written. Throws when the file is there
   * and holds no key.
   */
  static open(directory: string, worker: number, announced: string | null): Signer {
    const path = join(directory, `w${worker}.key`);
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      const signer = new Signer(path, makePair());
      // First the public half: a key that signs and was never published would be trusted by nobody.
      appendFileSync(join(directory, 'keys.pub'), `w${worker} ${signer.publicHex}\n`, { mode: 0o644 });
      signer.#save();
      return signer;
    }
    const pairs = text.trim().split('\n').map(readPair(path));
    const signer = new Signer(path, pairs.find((pair) => pair.publicHex === announced) ?? pairs[0]);
    if (pairs.length > 1) signer.#save();
    return signer;
  }

  /** Writes the key again if its file is gone, so that a restart can go on signing. */
  keepFile(): void {
    if (!existsSync(this.#path)) this.#save();
  }

  /** The key in use, in hex. */
  get publicHex(): string {
    return this.#current.publicHex;
  }

  /** Signature in hex. */
  sign(text: string): string {
    return sign(null, message(text), this.#current.secret).toString('hex');
  }

  /** Makes the successor and returns its public key in hex. It is safe on disk before anything announces it. */
  prepareNext(): string {
    this.#next ??= makePair();
    this.#save();
    return this.#next.publicHex;
  }

  /** The successor `key` has been announced: from now on it signs, and its predecessor is gone. */
  adopt(key: string): void {
    if (this.#next?.publicHex !== key) return;
    this.#current = this.#next;
    this.#next = null;
    this.#save();
  }

  #save(): void {
    const pairs = this.#next === null ? [this.#current] : [this.#current, this.#next];
    const text = pairs
      .map(({ secret }) => secret.export({ format: 'der', type: 'pkcs8' }).toString('base64'))
      .join('\n');
    const fd = openSync(`${this.#path}.new`, 'w', 0o600);
    try {
      writeSync(fd, `${text}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${this.#path}.new`, this.#path);
  }
}

const readPair =
  (path: string) =>
  (line: string): Pair => {
    try {
      const secret = createPrivateKey({ key: Buffer.from(line, 'base64'), format: 'der', type: 'pkcs8' });
      return { secret, publicHex: publicKeyHex(createPublicKey(secret)) };
    } catch {
      throw new Error(
        `${path} holds no Ed25519 key; restore it, or move it away together with the log (a log whose key is lost verifies only up to here)`,
      );
    }
  };
