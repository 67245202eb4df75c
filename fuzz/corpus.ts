/** The saved messages: one file each, hex with a comment that says what it is or what it broke. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export type Kind = 'query' | 'reply';

export interface Saved {
  readonly file: string;
  readonly octets: Uint8Array;
}

const directoryOf = (kind: Kind): string => fileURLToPath(new URL(`./corpus/${kind}`, import.meta.url));

export function loadCorpus(kind: Kind): Saved[] {
  const directory = directoryOf(kind);
  return readdirSync(directory)
    .filter((file) => file.endsWith('.hex'))
    .sort()
    .map((file) => {
      const text = readFileSync(join(directory, file), 'utf8').replace(/;.*$/gm, '').replace(/\s+/g, '');
      return { file, octets: Uint8Array.from(Buffer.from(text, 'hex')) };
    });
}

/** Writes what broke a promise, and returns the name of its file. */
export function saveFound(kind: Kind, octets: Uint8Array, why: string): string {
  const digest = createHash('sha256').update(octets).digest('hex').slice(0, 12);
  return save(kind, `found-${digest}`, octets, why);
}

export function save(kind: Kind, name: string, octets: Uint8Array, why: string): string {
  const directory = directoryOf(kind);
  mkdirSync(directory, { recursive: true });
  const file = `${name}.hex`;
  const lines =
    Buffer.from(octets)
      .toString('hex')
      .match(/.{1,96}/g) ?? [];
  const comment = why.replace(/[^ -~]/g, ' ').slice(0, 200);
  writeFileSync(join(directory, file), `; ${comment}\n${lines.join('\n')}\n`);
  return file;
}
