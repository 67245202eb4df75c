/**
 * The signature of a report: Ed25519 (RFC 8032) over the octets of the JSON file, 64 octets in a file beside it, nothing
 * around them. OpenSSL checks it without this program:
 *
 *    openssl pkeyutl -verify -pubin -inkey key.pub.pem -rawin -in report.json -sigfile report.json.sig
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign as signOctets, verify } from 'node:crypto';

/** What stands before the 32 octets of an Ed25519 public key in its DER form (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const SIGNATURE_LENGTH = 64;

export interface SigningKey {
  readonly key: KeyObject;
  /** 64 hex digits. */
  readonly publicKey: string;
}

/** From PEM. Throws in words when this is no Ed25519 private key. */
export function readSigningKey(pem: string): SigningKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new Error(
      'this is no private key; make one with: openssl genpkey -algorithm ed25519 -out report.key',
    );
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Error(
      `this is a key for ${key.asymmetricKeyType}; make one for Ed25519 with: openssl genpkey -algorithm ed25519 -out report.key`,
    );
  }
  return { key, publicKey: rawOf(createPublicKey(key)) };
}

/** From PEM or 64 hex digits. Throws in words when this is no Ed25519 public key. */
export function readVerifyingKey(text: string): KeyObject {
  const hex = /^\s*([0-9a-fA-F]{64})\s*$/.exec(text);
  let key: KeyObject | null = null;
  try {
    key =
      hex === null
        ? createPublicKey(text)
        : createPublicKey({
            key: Buffer.concat([SPKI_PREFIX, Buffer.from(hex[1], 'hex')]),
            format: 'der',
            type: 'spki',
          });
  } catch {
    // Told below, with what to write instead.
  }
  if (key?.asymmetricKeyType !== 'ed25519') {
    throw new Error(
      'this is no Ed25519 public key; give 64 hex digits, or a PEM file made with: openssl pkey -in report.key -pubout',
    );
  }
  return key;
}

const rawOf = (key: KeyObject): string =>
  key.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length).toString('hex');

export const sign = (octets: Uint8Array, { key }: SigningKey): Buffer => signOctets(null, octets, key);

export const verifySigned = (octets: Uint8Array, signature: Uint8Array, key: KeyObject): boolean =>
  signature.length === SIGNATURE_LENGTH && verify(null, octets, key, signature);
