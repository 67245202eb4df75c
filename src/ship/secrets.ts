/** Files and secrets of receivers, read each time a connection is made, so that renewed ones are taken up. */
import { readFileSync } from 'node:fs';
import type { Secret } from '../config/index.ts';

/** The text of a secret. Throws in words that do not hold it. */
export function readSecret(secret: Secret): string {
  if ('file' in secret) {
    const text = readText(secret.file).replace(/\r?\n$/, '');
    if (text === '') throw new Error(`${secret.file} is empty; write the secret into it`);
    return text;
  }
  const value = process.env[secret.env];
  if (value === undefined || value === '') {
    throw new Error(`the variable ${secret.env} is not set; set it for the process that runs Sallyport`);
  }
  return value;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

export interface TlsFiles {
  readonly caFile?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
}

/** Options of a TLS connection. Throws in words when a file cannot be read. */
export function readTls({ caFile, certificate, key }: TlsFiles): {
  ca?: string;
  cert?: string;
  key?: string;
} {
  return {
    ...(caFile === undefined ? {} : { ca: readText(caFile) }),
    ...(certificate === undefined ? {} : { cert: readText(certificate) }),
    ...(key === undefined ? {} : { key: readText(key) }),
  };
}
