/** Whatever is done to a closed segment of any kind (plain, encrypted, compressed, with erased entries) is found in it. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  carryOut,
  compressSegments,
  planErasure,
  readRecipient,
  requestsOf,
  segmentNames,
  Unsealer,
  verifyAudit,
  writeErasureRequest,
} from '../../src/audit/index.ts';
import { entryFor, openTest, withDirectory, write } from './fixture.ts';

interface Kind {
  readonly encrypted: boolean;
  readonly erased: boolean;
  readonly compressed: boolean;
}

const KINDS: Kind[] = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({
  encrypted: (bits & 1) !== 0,
  erased: (bits & 2) !== 0,
  compressed: (bits & 4) !== 0,
}));
const nameOf = ({ encrypted, erased, compressed }: Kind): string =>
  `${encrypted ? 'encrypted' : 'plain'}${erased ? ', erased from' : ''}${compressed ? ', compressed' : ''}`;

async function makeLog(directory: string, kind: Kind): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const keyFile = join(directory, '..', 'private.pem');
  writeFileSync(keyFile, privateKey.export({ format: 'pem', type: 'pkcs8' }));
  const recipient = readRecipient(String(publicKey.export({ format: 'pem', type: 'spki' })));
  const options = {
    directory,
    worker: 0,
    segmentOctets: 7000,
    blockRecords: 6,
    checkpointMs: 5,
    keyMs: 20,
    encryptTo: kind.encrypted ? [recipient] : [],
  };
  const log = openTest(options);
  for (let i = 0; i < 40; i++) {
    write(log, { ...entryFor(log), client: Uint8Array.of(192, 0, 2, i % 3), id: i }, 2);
    if (i % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 8));
  }
  await log.close();
  if (kind.erased) {
    const writer = openTest(options);
    const unsealer = Unsealer.read([keyFile]);
    const matches = ({ client }: { readonly client?: string }): boolean => client === '192.0.2.1';
    const plan = planErasure({ directory, worker: 0, matches, by: 'me', reason: 'request', unsealer });
    expect(plan.count).toBe(26);
    for (const erasures of requestsOf(plan)) {
      writeErasureRequest(directory, 0, erasures);
      for (const deadline = Date.now() + 10_000; existsSync(join(directory, 'w0.erase')); ) {
        if (Date.now() > deadline) throw new Error('the request was not taken up');
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
    carryOut(plan, directory, unsealer);
    await writer.close();
  }
  if (kind.compressed) await compressSegments(directory, 'gzip');
}

/** One thing that somebody does to the lines of a segment. */
type Edit = (octets: Buffer, at: number, other: number) => Buffer;
const linesOf = (octets: Buffer): string[] => octets.toString('latin1').split(/(?<=\n)/);
const joined = (lines: readonly string[]): Buffer => Buffer.from(lines.join(''), 'latin1');
const EDITS: Readonly<Record<string, Edit>> = {
  'changes an octet': (octets, at, other) => {
    const changed = Buffer.from(octets);
    changed[at % octets.length] ^= 1 << (other % 8);
    return changed;
  },
  'deletes a line': (octets, at) => {
    const lines = linesOf(octets);
    lines.splice(at % lines.length, 1);
    return joined(lines);
  },
  'doubles a line': (octets, at) => {
    const lines = linesOf(octets);
    lines.splice(at % lines.length, 0, lines[at % lines.length]);
    return joined(lines);
  },
  'swaps two lines': (octets, at, other) => {
    const lines = linesOf(octets);
    const [one, two] = [at % lines.length, other % lines.length];
    [lines[one], lines[two]] = [lines[two], lines[one]];
    return joined(lines);
  },
  'cuts the end off': (octets, at) => octets.subarray(0, at % octets.length),
};

describe.each(KINDS.map((kind) => ({ kind, name: nameOf(kind) })))('a segment that is $name', ({ kind }) => {
  test(
    'verifies, and does not when somebody changes, deletes, doubles, swaps or cuts',
    { timeout: 120_000 },
    () =>
      withDirectory(async (parent) => {
        const directory = join(parent, 'audit');
        mkdirSync(directory);
        await makeLog(directory, kind);
        const report = verifyAudit(directory);
        expect(report.faults).toEqual([]);
        expect(report.workers[0].erased).toBe(kind.erased ? 26 : 0);
        const whole = new Map(
          readdirSync(directory).map((file) => [file, readFileSync(join(directory, file))]),
        );
        const closed = segmentNames(directory).slice(0, -1);
        expect(closed.length).toBeGreaterThan(2);
        const copy = join(parent, 'copy');
        mkdirSync(copy);
        for (const [file, octets] of whole) writeFileSync(join(copy, file), octets);
        const plainOf = (file: string): Buffer =>
          file.endsWith('.gz') ? gunzipSync(whole.get(file)!) : whole.get(file)!;
        const hasFault = (file: string, octets: Buffer): boolean => {
          writeFileSync(join(copy, file), octets);
          const { faults } = verifyAudit(copy);
          writeFileSync(join(copy, file), whole.get(file)!);
          return faults.some((fault) => fault.file === file || fault.what.includes(file.replace('.gz', '')));
        };
        fc.assert(
          fc.property(
            fc.nat(closed.length - 1),
            fc.constantFrom(...Object.keys(EDITS)),
            fc.nat(1 << 20),
            fc.nat(1 << 20),
            (i, what, at, other) => {
              const { file } = closed[i];
              const plain = plainOf(file);
              const changed = EDITS[what](plain, at, other);
              if (changed.equals(plain)) return;
              expect(hasFault(file, file.endsWith('.gz') ? gzipSync(changed) : changed), what).toBe(true);
            },
          ),
          { numRuns: process.env['SALLYPORT_TEST_LONG'] === '1' ? 3000 : 60 },
        );
        for (const { file } of closed) {
          rmSync(join(copy, file));
          expect(verifyAudit(copy).ok, `without ${file}`).toBe(false);
          writeFileSync(join(copy, file), whole.get(file)!);
        }
        if (!kind.compressed) return;
        // An octet of the compressed file: found, unless what comes out of it is the same (its header has a time in it).
        const { file } = closed[0];
        const packed = whole.get(file)!;
        for (let at = 0; at < packed.length; at += 13) {
          const changed = Buffer.from(packed);
          changed[at] ^= 0x10;
          let same = false;
          try {
            same = gunzipSync(changed).equals(plainOf(file));
          } catch {
            same = false;
          }
          expect(same || hasFault(file, changed), `octet ${at}`).toBe(true);
        }
      }),
  );
});
