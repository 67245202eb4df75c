/**
 * Certificates of the encrypted listeners: read by the control thread, so that all data threads have the same, at start
 * and again with every reload.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
        : { cert: readPem(certificate), key: readPem(key) },
    clientAuthorities: clientCa === undefined ? null : readPem(clientCa),
  };
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
  try {
    return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  } catch {
    const made = devCertificate();
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(keyFile, made.key, { mode: 0o600 });
    writeFileSync(certFile, made.cert);
    return made;
  }
}
