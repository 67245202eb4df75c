/**
 * `sallyport audit keygen`: the pair of keys of somebody who may read an encrypted log. `sallyport audit decrypt`: such a
 * log in plain text.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import {
  readSegment,
  readSegmentName,
  type SegmentName,
  segmentNames,
  Unsealer,
  unsealSegment,
} from '../audit/index.ts';
import { requireLog } from './audit-flags.ts';
import { writeAll } from './write-all.ts';

export const keygenCommand = (): Command =>
  new Command('keygen')
    .description(
      'make the keys of a reader of encrypted records: a private one to keep away from the resolver, and a public one for it',
    )
    .option('-o, --output <prefix>', 'write PREFIX-private.pem and PREFIX-public.pem', 'audit')
    .action(keygen);

function keygen({ output }: { readonly output: string }): void {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  const secret = `${output}-private.pem`;
  const open = `${output}-public.pem`;
  // What is there is never written over: a private key that is lost cannot be had again, nor what was encrypted to it.
  writeNew(secret, privateKey.export({ format: 'pem', type: 'pkcs8' }), 0o600);
  writeNew(open, publicKey.export({ format: 'pem', type: 'spki' }), 0o644);
  console.log(
    `${secret}  private: keep it away from the resolver, and a copy of it safe; without it nobody reads the log`,
  );
  console.log(`${open}   public: put it on the resolver, and in sallyport.yaml`);
  console.log(`\naudit:\n  encryptTo: [${open}]`);
}

function writeNew(file: string, text: string | Buffer, mode: number): void {
  try {
    writeFileSync(file, text, { flag: 'wx', mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`${file} is there already and is not written over; give another name with --output`);
  }
}

export const decryptCommand = (): Command =>
  new Command('decrypt')
    .description('print encrypted records in plain text, or write plain copies of segments')
    .argument('<path...>', 'directories of segments, or segments')
    .requiredOption('-k, --key <file>', 'private key of a reader; may be given again', collect, [])
    .option('-o, --output <directory>', 'write plain copies there instead of to standard output')
    .action(decrypt);

const collect = (file: string, before: string[]): string[] => [...before, file];

interface Flags {
  readonly key: readonly string[];
  readonly output?: string;
}

function decrypt(paths: readonly string[], { key, output }: Flags): void {
  const unsealer = Unsealer.read(key);
  if (output !== undefined) mkdirSync(output, { recursive: true, mode: 0o700 });
  let count = 0;
  for (const { directory, name } of paths.flatMap(segmentsAt)) {
    const text = plainCopy(unsealSegment(name.file, readSegment(directory, name), unsealer));
    if (output === undefined) {
      writeAll(1, text);
      continue;
    }
    const target = join(output, name.file.replace(/\.(gz|zst)$/, ''));
    writeNew(target, text, 0o600);
    count++;
  }
  if (output !== undefined) console.log(`${count} segments were written to ${output}.`);
}

function segmentsAt(path: string): { directory: string; name: SegmentName }[] {
  if (statSync(path).isDirectory()) {
    requireLog(path);
    return segmentNames(path).map((name) => ({ directory: path, name }));
  }
  const name = readSegmentName(basename(path));
  if (name === null)
    throw new Error(`${path} is no segment (w0-….ndjson); give one, or the directory of the log`);
  return [{ directory: dirname(path), name }];
}

const STRUCTURE = /^\{"type":"(?:block|checkpoint|sealed)"/;

/**
 * The header, marked, and the records. Blocks and checkpoints are left out: they are over the encrypted lines, and would say
 * of a true copy that it was changed.
 */
function plainCopy(octets: Buffer): string {
  const [header, ...lines] = octets.toString('utf8').split('\n');
  const marked = header.replace('{"type":"segment",', '{"type":"segment","decrypted":true,');
  return [marked, ...lines.filter((line) => !STRUCTURE.test(line))].join('\n');
}
