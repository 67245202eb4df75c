/**
 * The key of the hashes that stand for secrets in the audit: 32 octets in hex, in `redaction.key` beside the audit's own
 * keys, mode 0600, made at the first start. Without it nobody can try card numbers until a hash fits; with it the same
 * secret has the same hash for as long as the file stays. A new file ends that.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Secret } from './detect/index.ts';

const FILE = 'redaction.key';
const KEY_LENGTH = 32;
/** Digits of a hash: enough to tell the secrets of one installation apart, too few to say much by themselves. */
const HASH_DIGITS = 8;

/** Reads the key of a directory. Throws with what is wrong with the file, and what the system says when it cannot be read. */
export function readRedactionKey(directory: string): Uint8Array {
  const path = join(directory, FILE);
  const text = readFileSync(path, 'ascii').trim();
  if (!/^[0-9a-f]{64}$/.test(text))
    throw new Error(
      `${path} holds no key (64 hex digits); restore it, or remove it: a new one is made, and hashes from before lead nowhere`,
    );
  return new Uint8Array(Buffer.from(text, 'hex'));
}

/**
 * The key of a directory, made when there is none. Where it cannot be written, one that holds until the process ends;
 * `onUnkept` is told why. Throws when a file is there and cannot be used.
 */
export function openRedactionKey(directory: string, onUnkept: (why: string) => void): Uint8Array {
  try {
    return readRedactionKey(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const key = new Uint8Array(randomBytes(KEY_LENGTH));
  const path = join(directory, FILE);
  const temporary = `${path}.${process.pid}.new`;
  try {
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(fd, `${Buffer.from(key).toString('hex')}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    onUnkept((error as Error).message);
  }
  return key;
}

/**
 * What stands for a secret: `(secret:card:1a2b3c4d)`. No name can look like it, since in names parentheses are written with
 * a backslash before them.
 */
export function markOf(secret: Secret, key: Uint8Array): string {
  const hash = secret.hashed((value) =>
    createHmac('sha256', key).update(`${secret.kind}\0${value}`).digest('hex').slice(0, HASH_DIGITS),
  );
  return `(secret:${secret.kind}:${hash})`;
}
