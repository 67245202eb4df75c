/**
 * Certificates of the encrypted listeners: read by the control thread, so that all data threads have the same, at start
 * and again with every reload.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Settings } from './config/index.ts';
import { type Certificate, devCertificate } from './listen/index.ts';

/** What one encrypted listener shows and demands. */
export interface ListenerCertificate {
  readonly certificate: Certificate;
  /** PEM of the authorities whose client certificates are demanded, or null. */
  readonly clientAuthorities: string | null;
}

export interface Certificates {
  readonly tls: ListenerCertificate | null;
  readonly https: ListenerCertificate | null;
}

type EncryptedListener = Settings['listen']['tls'];

/** The certificates of all listeners that have an address. Throws what cannot be read, and where. */
export function readCertificates(settings: Settings): Certificates {
  const { tls, https } = settings.listen;
  return { tls: readOne(tls, settings), https: https.plain ? null : readOne(https, settings) };
}

function readOne(listener: EncryptedListener, settings: Settings): ListenerCertificate | null {
  if (listener.addresses.length === 0) return null;
  const { certificate, key, clientCa } = listener;
  return {
    certificate:
      certificate === undefined || key === undefined
        ? developmentCertificate(settings)
        : readPair(certificate, key),
    clientAuthorities: clientCa === undefined ? null : readAuthorities(clientCa),
  };
}

/** Tried here, where the files are known: a listener could only repeat what OpenSSL says of them. */
function readPair(certificate: string, key: string): Certificate {
  const cert = readPem(certificate);
  demand(
    () => new X509Certificate(cert),
    `${certificate} holds no certificate in PEM form; write the chain there, the server's own certificate first`,
  );
  const pair = { cert, key: readPem(key) };
  demand(
    () => createPrivateKey(pair.key),
    `${key} holds no private key in PEM form that can be read without a passphrase`,
  );
  demand(
    () => createSecureContext(pair),
    `the key ${key} does not belong to the first certificate of ${certificate}`,
  );
  return pair;
}

function readAuthorities(path: string): string {
  const authorities = readPem(path);
  demand(() => new X509Certificate(authorities), `${path} holds no certificate in PEM form`);
  return authorities;
}

function demand(attempt: () => unknown, otherwise: string): void {
  try {
    attempt();
  } catch (error) {
    throw new Error(`${otherwise} (${(error as Error).message})`);
  }
}

function readPem(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`cannot read the certificate or key ${path}: ${(error as Error).message}`);
  }
}

/** Made at the first start and kept beside the audit, so that who trusts it once need not do so again. */
function developmentCertificate(settings: Settings): Certificate {
  const directory = join(settings.audit.directory, '..', 'tls');
  const certFile = join(directory, 'dev-cert.pem');
  const keyFile = join(directory, 'dev-key.pem');
  if (existsSync(certFile) && existsSync(keyFile)) return readPair(certFile, keyFile);
  const made = devCertificate();
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(keyFile, made.key, { mode: 0o600 });
  writeFileSync(certFile, made.cert);
  return made;
}
