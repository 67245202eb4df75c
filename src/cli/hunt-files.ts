/** Opens a log of any format and gives its records; `.gz` is read directly. */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { DnstapReader, isDnstap } from './hunt-dnstap.ts';
import { FormatError, type LineReader, readerFor } from './hunt-formats.ts';
import { isPcap, isPcapng, PcapReader } from './hunt-pcap.ts';
import type { HuntRecord } from './hunt-records.ts';

export interface ReadCounters {
  /** Lines that could not be read; the first few are kept for the report. */
  faults: number;
  readonly samples: string[];
  /** Octets of the file as stored. */
  octets: number;
}

/** Longest line that is read; what is longer is no log of queries. */
const LINE_MAX = 1 << 20;

/** Records of the file in the order they stand. Throws with the system's error when the file cannot be opened. */
export async function* recordsOf(file: string, counters: ReadCounters): AsyncGenerator<HuntRecord> {
  const stored = createReadStream(file);
  stored.on('data', (chunk) => {
    counters.octets += chunk.length;
  });
  let source: AsyncIterable<Buffer> = stored as AsyncIterable<Buffer>;
  if (file.endsWith('.gz')) {
    const unzipped = createGunzip();
    stored.on('error', (error) => unzipped.destroy(error));
    source = stored.pipe(unzipped) as AsyncIterable<Buffer>;
  }
  // The first piece tells what the file is.
  const pieces = source[Symbol.asyncIterator]();
  let first = Buffer.alloc(0);
  while (first.length < 12) {
    const piece = await pieces.next();
    if (piece.done === true) break;
    first = Buffer.concat([first, piece.value]);
  }
  const all = startingWith(first, pieces);
  if (isPcapng(first)) throw new FormatError(`${file} is a pcapng file; convert it with "editcap -F pcap"`);
  if (isDnstap(first)) yield* fromFrames(all, new DnstapReader(file), file, counters);
  else if (isPcap(first)) yield* fromFrames(all, new PcapReader(file), file, counters);
  else yield* fromLines(all, file, counters);
}

async function* startingWith(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  for (let piece = await rest.next(); piece.done !== true; piece = await rest.next()) yield piece.value;
}

async function* fromFrames(
  source: AsyncIterable<Buffer>,
  reader: { read(chunk: Buffer): Generator<HuntRecord> },
  file: string,
  counters: ReadCounters,
): AsyncGenerator<HuntRecord> {
  try {
    for await (const chunk of source) yield* reader.read(chunk);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    counters.faults++;
    counters.samples.push(`${file}: ${error.message}`);
  }
}

async function* fromLines(
  source: AsyncIterable<Buffer>,
  file: string,
  counters: ReadCounters,
): AsyncGenerator<HuntRecord> {
  let reader: LineReader | undefined;
  let number = 0;
  for await (const line of linesOf(source)) {
    number++;
    reader ??= readerFor(line, file);
    if (reader === undefined) continue;
    try {
      const record = reader(line, number);
      if (record !== null) yield record;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      counters.faults++;
      if (counters.samples.length < 5) counters.samples.push(`${file}:${number}: ${error.message}`);
    }
  }
}

async function* linesOf(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of source) {
    // Names are ASCII with escapes; Latin-1 keeps any other octet as one character.
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() as string;
    if (rest.length > LINE_MAX) rest = '';
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
  }
  if (rest !== '') yield rest;
}
