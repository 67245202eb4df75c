/** Certificates made for a test run with the openssl command, where it is installed. */
import { spawnSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

export interface Certificate {
  readonly keyFile: string;
  readonly certFile: string;
  readonly key: Buffer;
  readonly cert: Buffer;
  /** Base64 of the SHA-256 of its SubjectPublicKeyInfo. */
  readonly pin: string;
}

export interface Certificates {
  /** Self-signed, for `dns.example` and 127.0.0.1. */
  readonly good: Certificate;
  /** Self-signed, for another name and no address. */
  readonly other: Certificate;
  remove(): void;
}

export function makeCertificates(): Certificates {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-upstream-'));
  const make = (label: string, alternatives: string): Certificate => {
    const keyFile = join(folder, `${label}.key`);
    const certFile = join(folder, `${label}.crt`);
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...[
        '-keyout',
        keyFile,
        '-out',
        certFile,
        '-subj',
        `/CN=${label}`,
        '-addext',
        `subjectAltName=${alternatives}`,
      ],
    ]);
    if (made.status !== 0) throw new Error(`openssl: ${made.stderr.toString()}`);
    const cert = readFileSync(certFile);
    const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
    return {
      keyFile,
      certFile,
      key: readFileSync(keyFile),
      cert,
      pin: createHash('sha256').update(spki).digest('base64'),
    };
  };
  return {
    good: make('good', 'DNS:dns.example,IP:127.0.0.1'),
    other: make('other', 'DNS:other.example'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
