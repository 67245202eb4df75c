/**
 * `sallyport audit prove`: a proof, for somebody who does not have the log, that a record is in it or that it has only
 * grown. `sallyport audit check-proof`: whether such a proof holds.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import {
  type ConsistencyProof,
  type InclusionProof,
  isProven,
  leavesOf,
  plainText,
  proveConsistency,
  proveInclusion,
  provenRecord,
  readSegment,
  segmentNames,
} from '../audit/index.ts';
import { DIRECTORY, readCount, requireLog, unsealerOf, withDecryptKey } from './audit-flags.ts';
import { Unusable } from './unusable.ts';

interface Flags {
  readonly worker: number;
  readonly record?: number;
  readonly sizes?: readonly string[];
  readonly decryptKey?: readonly string[];
}

export const proveCommand = (): Command =>
  withDecryptKey(new Command('prove'))
    .description('print a proof that a record is in the log, or that a longer log continues a shorter one')
    .argument('[directory]', 'where the segments are', DIRECTORY)
    .option('-w, --worker <number>', 'worker whose log it is', readCount, 0)
    .option('-r, --record <number>', 'number of the record (seq)', readCount)
    .option('-s, --sizes <sizes...>', 'older and newer size in leaves, as in two checkpoints')
    .action(prove);

function prove(directory: string, { worker, record, sizes, decryptKey }: Flags): void {
  requireLog(directory);
  if ((record === undefined) === (sizes === undefined)) {
    throw new Error('say what to prove: --record NUMBER, or --sizes OLDER NEWER');
  }
  const leaves = leavesOf(directory, worker);
  const names = new Map(segmentNames(directory).map((name) => [name.file, name]));
  const unsealer = unsealerOf({ ...(decryptKey === undefined ? {} : { decryptKey }) });
  const readLines = (file: string, at: number, end: number): string => {
    const name = names.get(file);
    if (name === undefined) throw new Error(`${join(directory, file)} is gone`);
    const octets = readSegment(directory, name);
    unsealer?.takeHeader(JSON.parse(octets.toString('utf8', 0, octets.indexOf(10))));
    return octets.toString('utf8', at, end);
  };
  const proof =
    record !== undefined
      ? proveInclusion(leaves, worker, record, readLines, unsealer)
      : proveConsistency(leaves, worker, readCount(sizes?.[0] ?? ''), readCount(sizes?.[1] ?? ''));
  console.log(JSON.stringify(proof, null, 2));
}

export const checkProofCommand = (): Command =>
  new Command('check-proof')
    .description('check a proof that "audit prove" has printed; exit 1 when it does not hold')
    .argument('<file>', 'the proof')
    .action(checkProof);

function checkProof(file: string): void {
  let proof: InclusionProof | ConsistencyProof;
  let holds: boolean;
  try {
    proof = JSON.parse(readFileSync(file, 'utf8')) as InclusionProof | ConsistencyProof;
    holds = isProven(proof);
  } catch (error) {
    throw new Unusable(`${file} holds no proof of "sallyport audit prove" (${(error as Error).message})`);
  }
  if (!holds) {
    console.log('The proof does NOT hold.');
    process.exitCode = 1;
  } else if (proof.kind === 'inclusion') {
    const { size, root } = proof.tree;
    console.log(
      `Record ${proof.record} is in the log of worker ${proof.worker} whose root at ${size} leaves is ${root}.`,
    );
    const line = provenRecord(proof);
    console.log(line === null ? 'It is encrypted, and the proof does not open it.' : plainText(line));
  } else {
    const { older, newer } = proof;
    console.log(
      `The log with root ${newer.root} (${newer.size} leaves) continues the one with root ${older.root} (${older.size}).`,
    );
  }
  if (holds) console.log('Compare the root with a signed checkpoint of that size.');
}
