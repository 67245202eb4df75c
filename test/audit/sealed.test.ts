/** Encrypted records: nobody but the holder of a private key reads them, and everybody can check that they are whole. */
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type AuditLog,
  type AuditOptions,
  compressSegments,
  isProven,
  leavesOf,
  proveInclusion,
  provenRecord,
  readRecipient,
  readRecords,
  readSegment,
  segmentNames,
  Unsealer,
  verifyAudit,
  writeIndex,
} from '../../src/audit/index.ts';
import { indexName, mayHold } from '../../src/audit/name-index.ts';
import { sallyport } from '../e2e/processes.ts';
import { entryFor, openTest, segmentFiles, withDirectory, write } from './fixture.ts';

interface Reader {
  readonly privateFile: string;
  readonly publicFile: string;
  readonly pem: string;
}

function makeReader(directory: string, name = 'reader'): Reader {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const privateFile = join(directory, `${name}-private.pem`);
  const publicFile = join(directory, `${name}-public.pem`);
  const pem = String(publicKey.export({ format: 'pem', type: 'spki' }));
  writeFileSync(privateFile, privateKey.export({ format: 'pem', type: 'pkcs8' }));
  writeFileSync(publicFile, pem);
  return { privateFile, publicFile, pem };
}

const openSealed = (
  directory: string,
  readers: readonly Reader[],
  more: Partial<AuditOptions> = {},
): AuditLog =>
  openTest({
    directory: join(directory, 'audit'),
    worker: 0,
    segmentOctets: 6000,
    blockRecords: 5,
    encryptTo: readers.map(({ publicFile }) => readRecipient(publicFile)),
    ...more,
  });

const commit = (log: AuditLog): Promise<boolean> => new Promise((resolve) => log.commit(resolve));

/** Several small segments of batches of 1 to 4 entries `host-0` to `host-39`. */
async function writeLog(
  directory: string,
  readers: readonly Reader[],
  more: Partial<AuditOptions> = {},
): Promise<void> {
  const log = openSealed(directory, readers, more);
  for (let i = 0, size = 1; i < 40; i += size, size = (size % 4) + 1) {
    for (let j = i; j < Math.min(40, i + size); j++) {
      log.append({ ...entryFor(log, `host-${j}.example.com`), id: j });
    }
    expect(await commit(log)).toBe(true);
  }
  await log.close();
}

const namesIn = (directory: string, unsealer: Unsealer | null): (string | undefined)[] =>
  [...readRecords(join(directory, 'audit'), {}, () => {}, unsealer)].map(({ record }) => record.qname);
const HOSTS = Array.from({ length: 40 }, (_, i) => `host-${i}.example.com`);

describe.each(['bounded', 'strict', 'open'] as const)('mode %s', (mode) => {
  test('every record reads with a private key, and nothing of them stands in any file', () =>
    withDirectory(async (directory) => {
      const readers = [makeReader(directory, 'one'), makeReader(directory, 'two')];
      await writeLog(directory, readers, { mode });
      const audit = join(directory, 'audit');
      // What is drained from memory at a time is one batch.
      expect(segmentFiles(audit).length).toBeGreaterThan(mode === 'open' ? 1 : 2);
      for (const { privateFile } of readers)
        expect(namesIn(directory, Unsealer.read([privateFile]))).toEqual(HOSTS);
      for (const file of readdirSync(audit)) {
        expect(readFileSync(join(audit, file), 'latin1')).not.toMatch(/host-|192\.0\.2|example/);
      }
      const [report] = verifyAudit(audit).workers;
      expect(report).toMatchObject({ records: 40, lastRecord: 40, lastSigned: 40, sealed: 40 });
      const unsealer = Unsealer.read([readers[1].privateFile]);
      expect(verifyAudit(audit, { unsealer }).faults).toEqual([]);
    }));
});

test('`strict`: what waits for the disk over the end of a segment still opens', () =>
  withDirectory(async (directory) => {
    const reader = makeReader(directory);
    const log = openSealed(directory, [reader], { mode: 'strict', segmentOctets: 1500 });
    const kept: Promise<boolean>[] = [];
    for (let i = 0; i < 40; i++) {
      log.append({ ...entryFor(log, `host-${i}.example.com`), id: i });
      kept.push(commit(log));
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(await Promise.all(kept)).not.toContain(false);
    await log.close();
    expect(segmentFiles(join(directory, 'audit')).length).toBeGreaterThan(1);
    const unsealer = Unsealer.read([reader.privateFile]);
    expect(namesIn(directory, unsealer)).toEqual(HOSTS);
    expect(verifyAudit(join(directory, 'audit'), { unsealer }).faults).toEqual([]);
  }));

test('batches that are taken back leave nothing behind', () =>
  withDirectory(async (directory) => {
    const reader = makeReader(directory);
    let isFull = false;
    const { systemDisk } = await import('../../src/audit/disk.ts');
    const disk = {
      ...systemDisk,
      write: (...args: Parameters<typeof systemDisk.write>) => {
        if (isFull) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
        return systemDisk.write(...args);
      },
    };
    const log = openSealed(directory, [reader], { disk });
    write(log, entryFor(log, 'first.test'));
    isFull = true;
    log.append(entryFor(log, 'lost.test'));
    expect(await commit(log)).toBe(false);
    isFull = false;
    for (const deadline = Date.now() + 10_000; !log.healthy && Date.now() < deadline; ) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    write(log, entryFor(log, 'last.test'));
    await log.close();
    expect(namesIn(directory, Unsealer.read([reader.privateFile]))).toEqual(['first.test', 'last.test']);
    expect(verifyAudit(join(directory, 'audit')).faults).toEqual([]);
  }));

test('a restart goes on under new keys, after a torn end as well', () =>
  withDirectory(async (directory) => {
    const reader = makeReader(directory);
    const audit = join(directory, 'audit');
    const first = openSealed(directory, [reader], { segmentOctets: 1 << 20 });
    write(first, entryFor(first, 'one.test'));
    write(first, entryFor(first, 'two.test'));
    const [file] = segmentFiles(audit);
    const octets = readFileSync(join(audit, file));
    await first.close();
    // As if the process had been killed in the middle of its second write.
    for (const name of readdirSync(audit))
      if (name !== 'w0.key' && name !== 'keys.pub') writeFileSync(join(audit, name), '');
    writeFileSync(join(audit, file), octets.subarray(0, octets.length - 100));
    const second = openSealed(directory, [reader]);
    write(second, entryFor(second, 'three.test'));
    await second.close();
    const unsealer = Unsealer.read([reader.privateFile]);
    expect(namesIn(directory, unsealer)).toEqual(['one.test', 'three.test']);
    const heads = segmentNames(audit).map((name) =>
      JSON.parse(readSegment(audit, name).toString().split('\n')[0]),
    );
    expect(heads[0].sealed[0].key).not.toBe(heads[1].sealed[0].key);
  }));

test('the scheme is what docs/audit.md says: an opener made from the page alone, with another library, agrees', () =>
  withDirectory(async (directory) => {
    const reader = makeReader(directory);
    await writeLog(directory, [reader]);
    const { subtle } = webcrypto;
    const der = Buffer.from(
      readFileSync(reader.privateFile, 'utf8').replace(/-----[^-]+-----|\s/g, ''),
      'base64',
    );
    const holder = await subtle.importKey('pkcs8', der, { name: 'X25519' }, false, ['deriveBits']);
    const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
    const gcm = async (key: Uint8Array, box: Uint8Array, head: Uint8Array): Promise<Buffer> => {
      const imported = await subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt']);
      const how = { name: 'AES-GCM', iv: new Uint8Array(12), additionalData: head, tagLength: 128 };
      return Buffer.from(await subtle.decrypt(how, imported, box));
    };
    const names: string[] = [];
    for (const file of segmentFiles(join(directory, 'audit'))) {
      const [header, ...lines] = readFileSync(join(directory, 'audit', file), 'utf8').split('\n');
      const [{ key: id, to }] = JSON.parse(header).sealed;
      const [{ recipient, ephemeral, wrapped }] = to;
      const point = await subtle.importKey(
        'raw',
        Buffer.from(ephemeral, 'hex'),
        { name: 'X25519' },
        false,
        [],
      );
      const shared = await subtle.deriveBits({ name: 'X25519', public: point } as never, holder, 256);
      const input = await subtle.importKey('raw', shared, 'HKDF', false, ['deriveBits']);
      const hkdf = {
        name: 'HKDF',
        hash: 'SHA-256',
        salt: Buffer.from(ephemeral + recipient, 'hex'),
        info: utf8('sallyport audit segment key 1'),
      };
      const wrapKey = new Uint8Array(await subtle.deriveBits(hkdf, input, 256));
      const secret = await gcm(wrapKey, Buffer.from(wrapped, 'hex'), new Uint8Array(0));
      for (const line of lines.filter((text) => text.startsWith('{"type":"sealed"'))) {
        const { seq, count, key, turn, box } = JSON.parse(line);
        expect(key).toBe(id);
        const number = Buffer.alloc(8);
        number.writeBigUInt64BE(BigInt(seq));
        const info = Buffer.concat([
          utf8('sallyport audit line 1'),
          number,
          Buffer.from(turn, 'hex'),
          Buffer.of(1),
        ]);
        const mac = await subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
        const lineKey = new Uint8Array(await subtle.sign('HMAC', mac, info));
        const head = line.slice(0, line.indexOf(',"box":'));
        const plain = await gcm(lineKey, Buffer.from(box, 'base64'), utf8(head));
        expect(plain.length % 128).toBe(0);
        const records = plain
          .toString('utf8')
          .split('\n')
          .filter((text) => text !== '');
        expect(records).toHaveLength(count);
        names.push(...records.map((text) => JSON.parse(text).qname));
      }
    }
    expect(names).toEqual(HOSTS);
  }));

describe('without the right key', () => {
  test('reading says what to give, and verifying says what was not checked', () =>
    withDirectory(async (directory) => {
      await writeLog(directory, [makeReader(directory)]);
      expect(() => namesIn(directory, null)).toThrow(
        /^w0-.*: its records are encrypted; give the private key of a recipient with --decrypt-key FILE/,
      );
      const { ok, remarks } = verifyAudit(join(directory, 'audit'));
      expect(ok).toBe(true);
      expect(remarks.join()).toMatch(
        /40 records are encrypted: that none was changed, removed or added was checked/,
      );
    }));

  test('a key of somebody else is told from one of a reader', () =>
    withDirectory(async (directory) => {
      await writeLog(directory, [makeReader(directory)]);
      const other = Unsealer.read([makeReader(directory, 'other').privateFile]);
      const said =
        /the records are encrypted to [0-9a-f]{16}…; the private key given belongs to [0-9a-f]{16}…$/;
      expect(() => namesIn(directory, other)).toThrow(said);
      expect(() => verifyAudit(join(directory, 'audit'), { unsealer: other })).toThrow(said);
    }));

  test.each([
    {
      name: 'a private key on the resolver',
      text: 'private',
      says: /holds a private key, which must not lie on the resolver/,
    },
    {
      name: 'no key',
      text: 'none',
      says: /holds no public key in PEM; make a pair with "sallyport audit keygen"/,
    },
    { name: 'a key of another kind', text: 'ed25519', says: /holds a key of type ed25519; X25519 is needed/ },
  ])('$name is refused', ({ text, says }) =>
    withDirectory((directory) => {
      const reader = makeReader(directory);
      const file = join(directory, 'key.pem');
      const { publicKey } = generateKeyPairSync('ed25519');
      const texts: Record<string, string> = {
        private: readFileSync(reader.privateFile, 'utf8'),
        none: 'nothing',
        ed25519: String(publicKey.export({ format: 'pem', type: 'spki' })),
      };
      writeFileSync(file, texts[text]);
      expect(() => readRecipient(file)).toThrow(says);
      expect(readRecipient(reader.pem).octets).toHaveLength(32);
    }),
  );
});

test('an index is asked with the key, and says nothing without', () =>
  withDirectory(async (directory) => {
    const reader = makeReader(directory);
    await writeLog(directory, [reader]);
    const audit = join(directory, 'audit');
    const [first] = segmentNames(audit);
    const octets = readSegment(audit, first);
    expect(() => writeIndex(audit, first, octets)).toThrow(/its records are encrypted/);
    const unsealer = Unsealer.read([reader.privateFile]);
    writeIndex(audit, first, octets, unsealer);
    const fresh = Unsealer.read([reader.privateFile]);
    expect(mayHold(audit, first, ['=host-0.example.com'], fresh)).toBe(true);
    expect(mayHold(audit, first, ['=absent.test'], fresh)).toBe(false);
    expect(mayHold(audit, first, ['=absent.test'])).toBe(true);
    // The bits are not those of a plain index: names cannot be tried against it.
    const keyed = readFileSync(join(audit, indexName(first)));
    const plain = unsealer.takeHeader(JSON.parse(octets.toString().split('\n')[0]));
    expect(plain).not.toBeNull();
    expect(keyed.toString('latin1')).toContain('"sealed":');
  }));

test('a proof opens its own line, and can leave it closed', () =>
  withDirectory(async (directory) => {
    const reader = makeReader(directory);
    await writeLog(directory, [reader]);
    const audit = join(directory, 'audit');
    const unsealer = Unsealer.read([reader.privateFile]);
    const leaves = leavesOf(audit, 0);
    const read = (file: string, at: number, end: number): string => {
      const octets = readSegment(audit, segmentNames(audit).find((name) => name.file === file)!);
      unsealer.takeHeader(JSON.parse(octets.toString('utf8', 0, octets.indexOf(10))));
      return octets.toString('utf8', at, end);
    };
    for (let record = 1; record <= 40; record++) {
      const closed = proveInclusion(leaves, 0, record, read);
      expect(isProven(closed)).toBe(true);
      expect(provenRecord(closed)).toBeNull();
      const proof = proveInclusion(leaves, 0, record, read, unsealer);
      expect(isProven(proof)).toBe(true);
      expect(JSON.parse(provenRecord(proof)!)).toMatchObject({
        seq: record,
        qname: `host-${record - 1}.example.com`,
      });
      expect(isProven({ ...proof, lineKey: '00'.repeat(32) })).toBe(false);
      expect(isProven({ ...proof, record: 41 })).toBe(false);
    }
  }));

describe('the commands', () => {
  test(
    'keygen, decrypt, verify, query, tail, stats, export, index, compress, prove and hunt',
    { timeout: 120_000 },
    () =>
      withDirectory(async (directory) => {
        const prefix = join(directory, 'reader');
        const made = await sallyport('audit', 'keygen', '--output', prefix);
        expect(made.stdout).toContain(`encryptTo: [${prefix}-public.pem]`);
        expect(statSync(`${prefix}-private.pem`).mode & 0o777).toBe(0o600);
        const again = await sallyport('audit', 'keygen', '--output', prefix);
        expect(again).toMatchObject({
          code: 1,
          stderr: expect.stringMatching(/is there already and is not written over/),
        });
        const reader = { privateFile: `${prefix}-private.pem`, publicFile: `${prefix}-public.pem`, pem: '' };
        await writeLog(directory, [reader]);
        const audit = join(directory, 'audit');
        const key = ['--decrypt-key', reader.privateFile];
        const closed = async (...args: string[]): Promise<void> => {
          const ran = await sallyport(...args);
          expect(ran.code, args.join(' ')).toBeGreaterThan(0);
          expect(ran.stderr, args.join(' ')).toMatch(/encrypted.*--decrypt-key FILE/);
          expect(ran.stderr).not.toMatch(/\n\s+at /);
        };
        const says = async (pattern: RegExp, ...args: string[]): Promise<string> => {
          const ran = await sallyport(...args);
          expect(ran, args.join(' ')).toMatchObject({ code: 0, stderr: '' });
          expect(ran.stdout, args.join(' ')).toMatch(pattern);
          return ran.stdout;
        };
        await says(/is whole/, 'audit', 'verify', audit);
        await says(/is whole/, 'audit', 'verify', audit, ...key);
        for (const command of ['query', 'stats', 'export', 'index']) await closed('audit', command, audit);
        await closed('audit', 'tail', audit, '--no-follow');
        await closed('hunt', join(audit, segmentFiles(audit)[0]));
        await says(/host-7\.example\.com/, 'audit', 'query', audit, '--name', 'host-7.example.com', ...key);
        await says(/host-39\.example\.com/, 'audit', 'tail', audit, '--no-follow', ...key);
        await says(/40 queries/, 'audit', 'stats', audit, ...key);
        await says(/host-39\.example\.com/, 'audit', 'export', audit, '--format', 'csv', ...key);
        await says(/segments were indexed/, 'audit', 'index', audit, ...key);
        await says(/segments: /, 'audit', 'compress', audit, '--with', 'gzip');
        await says(/host-7\.example\.com/, 'audit', 'query', audit, '--name', '*.example.com', ...key);
        await says(/is whole/, 'audit', 'verify', audit, ...key);
        await says(/"queries":\d+/, 'hunt', '--json', join(audit, segmentFiles(audit)[0]), ...key);
        writeFileSync(
          join(directory, 'proof'),
          await says(/lineKey/, 'audit', 'prove', audit, '--record', '9', ...key),
        );
        await says(/host-8\.example\.com/, 'audit', 'check-proof', join(directory, 'proof'));
        const out = join(directory, 'plain');
        await says(
          /segments were written/,
          'audit',
          'decrypt',
          audit,
          '--key',
          reader.privateFile,
          '--output',
          out,
        );
        await says(/host-0\.example\.com/, 'audit', 'query', out);
        expect(await sallyport('audit', 'verify', out)).toMatchObject({
          code: 1,
          stdout: expect.stringMatching(/this is a decrypted copy, which nothing proves/),
        });
        const one = join(audit, readdirSync(audit).find((file) => file.endsWith('.gz'))!);
        await says(/"qname":"host-0\.example\.com"/, 'audit', 'decrypt', one, '--key', reader.privateFile);
        expect(existsSync(join(audit, 'plain'))).toBe(false);
      }),
  );
});

test('compressed segments of encrypted records verify and read', () =>
  withDirectory(async (directory) => {
    const reader = makeReader(directory);
    await writeLog(directory, [reader]);
    await compressSegments(join(directory, 'audit'), 'gzip');
    const unsealer = Unsealer.read([reader.privateFile]);
    expect(verifyAudit(join(directory, 'audit'), { unsealer }).faults).toEqual([]);
    expect(namesIn(directory, unsealer)).toEqual(HOSTS);
  }));
