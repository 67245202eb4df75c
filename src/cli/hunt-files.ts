/** Opens a log of any format, compressed or not, and gives its records. */
import { createReadStream } from 'node:fs';
import { Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { readSealed, type Unsealer } from '../audit/index.ts';
import { type CaptureReader, isPcap, isPcapng, PcapFile, PcapngFile } from './hunt-capture.ts';
import { DnstapReader, isDnstap } from './hunt-dnstap.ts';
import { FormatError, type LineReader, readerFor } from './hunt-formats.ts';
import { type CaptureCounters, noCaptureCounters, PacketReader } from './hunt-packets.ts';
import type { HuntRecord } from './hunt-records.ts';

export interface ReadCounters {
  /** Lines, frames or files that could not be read; the first few are kept for the report. */
  faults: number;
  readonly samples: string[];
  /** Octets of the files as stored. */
  octets: number;
  /** Names in which our audit has put marks. */
  redacted: number;
  readonly captures: CaptureCounters;
}

export const noReadCounters = (): ReadCounters => ({
  faults: 0,
  samples: [],
  octets: 0,
  redacted: 0,
  captures: noCaptureCounters(),
});

export interface ReadOptions {
  /** Port of DNS in captures. */
  readonly port: number;
  /** Opens the encrypted records of an audit. */
  readonly unsealer?: Unsealer | null;
}

/** Longest line that is read; what is longer is no log of queries. */
const LINE_MAX = 1 << 20;
const SAMPLES_MAX = 5;
const HEAD_LENGTH = 12;

/** Records of the file in the order they stand. Throws, naming the file, when it cannot be opened or unpacked. */
export async function* recordsOf(
  file: string,
  counters: ReadCounters,
  options: ReadOptions = { port: 53 },
): AsyncGenerator<HuntRecord> {
  const [first, pieces] = await openUnpacked(file, counters);
  const all = startingWith(first, pieces);
  try {
    if (isPcapng(first)) yield* fromPackets(all, new PcapngFile(), file, counters, options);
    else if (isPcap(first)) yield* fromPackets(all, new PcapFile(), file, counters, options);
    else if (isDnstap(first)) yield* fromFrames(all, file, counters);
    else yield* fromLines(all, file, counters, options.unsealer ?? null);
  } catch (error) {
    throw unpackFault(error, file);
  }
}

/** The first piece, which tells what the file is, and those that follow. */
async function openUnpacked(
  file: string,
  counters: ReadCounters,
): Promise<[first: Buffer, pieces: AsyncIterator<Buffer>]> {
  const stored = storedOctets(file, counters);
  const head = await headOf(stored);
  const unpacker = unpackerOf(head, file);
  if (unpacker === null) return [head, stored];
  const source = Readable.from(startingWith(head, stored), { objectMode: false });
  source.on('error', (error) => unpacker.destroy(error));
  source.pipe(unpacker);
  const unpacked = (unpacker as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    return [await headOf(unpacked), unpacked];
  } catch (error) {
    throw unpackFault(error, file);
  }
}

async function* storedOctets(file: string, counters: ReadCounters): AsyncGenerator<Buffer> {
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    counters.octets += chunk.length;
    yield chunk;
  }
}

async function headOf(pieces: AsyncIterator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < HEAD_LENGTH) {
    const piece = await pieces.next();
    if (piece.done === true) break;
    head = head.length === 0 ? piece.value : Buffer.concat([head, piece.value]);
  }
  return head;
}

/** What unpacks a file that begins so, whatever its name; null when it is not packed. */
function unpackerOf(head: Buffer, file: string): Transform | null {
  if (head[0] === 0x1f && head[1] === 0x8b) return zlib.createGunzip();
  if (head.length < 4 || head.readUInt32BE(0) !== 0x28b52ffd) return null;
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };
  if (createZstdDecompress === undefined)
    throw new Error(
      `${file} is compressed with Zstandard; read it with Node 22.15 or newer, or run "unzstd" on it`,
    );
  return createZstdDecompress();
}

/** A fault of the packing, with the file it is in; every other error as it is. */
function unpackFault(error: unknown, file: string): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined || !/^(Z_|ZSTD_|ERR_)/.test(code)) return error;
  return new Error(`${file} cannot be unpacked: ${message}; the file is damaged or not whole`);
}

async function* startingWith(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  for (let piece = await rest.next(); piece.done !== true; piece = await rest.next()) yield piece.value;
}

/** Counts what could not be read; the first few are kept in words. */
export function noteFault(counters: ReadCounters, text: string): void {
  counters.faults++;
  if (counters.samples.length < SAMPLES_MAX) counters.samples.push(text);
}

async function* fromPackets(
  source: AsyncIterable<Buffer>,
  capture: CaptureReader,
  file: string,
  counters: ReadCounters,
  { port }: ReadOptions,
): AsyncGenerator<HuntRecord> {
  const { captures } = counters;
  const reader = new PacketReader(file, port, captures);
  const before = captures.dns;
  let number = 0;
  try {
    for await (const chunk of source)
      for (const packet of capture.packets(chunk)) yield* reader.records(packet, ++number);
    if (capture.left > 0) throw new FormatError('it ends within a packet; the capture was cut off');
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    noteFault(counters, `${file}: packet ${number}: ${error.message}`);
    return;
  }
  if (captures.dns === before)
    noteFault(
      counters,
      `${file}: none of its ${number} packets is to or from port ${port}; another port is given with --port`,
    );
}

async function* fromFrames(
  source: AsyncIterable<Buffer>,
  file: string,
  counters: ReadCounters,
): AsyncGenerator<HuntRecord> {
  const reader = new DnstapReader(file);
  let found = 0;
  try {
    for await (const chunk of source) {
      for (const record of reader.read(chunk)) {
        found++;
        yield record;
      }
    }
    if (reader.left > 0) throw new FormatError('it ends within a frame; the file was cut off');
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    noteFault(counters, `${file}: frame ${reader.frame}: ${error.message}`);
    return;
  }
  if (found === 0)
    noteFault(
      counters,
      `${file}: none of its ${reader.frame} frames is a CLIENT_QUERY or CLIENT_RESPONSE with a DNS message`,
    );
}

async function* fromLines(
  source: AsyncIterable<Buffer>,
  file: string,
  counters: ReadCounters,
  unsealer: Unsealer | null,
): AsyncGenerator<HuntRecord> {
  let reader: LineReader | undefined;
  let number = 0;
  let found = 0;
  // A segment in which nobody has asked yet lacks nothing.
  let isSegment = false;
  const faultsBefore = counters.faults;
  for await (const { line, number: at } of opened(linesOf(source), file, unsealer)) {
    number = at;
    if (number === 1) isSegment = line.startsWith('{"type":"segment",');
    reader ??= readerFor(line, file);
    if (reader === undefined) continue;
    try {
      const record = reader(line, number);
      if (record === null) continue;
      found++;
      const isRedacted = record.name.includes('(secret:') && record.name.search(MARKS) >= 0;
      if (isRedacted) counters.redacted++;
      yield isRedacted ? withoutMarks(record) : record;
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      noteFault(counters, `${file}:${number}: ${error.message}`);
    }
  }
  if (found === 0 && !isSegment && counters.faults === faultsBefore)
    noteFault(
      counters,
      number === 0
        ? `${file}: the file is empty`
        : `${file}: none of its ${number} lines is a query; expected our audit, Zeek's dns.log, a Route 53 query log, or tab-separated seconds, client, name, type, rcode, octets`,
    );
}

/** What our audit has put in place of secrets. In a name of its own right a parenthesis has a backslash before it. */
const MARKS = /(^|[^\\])\(secret:[a-z-]+:[0-9a-f]{8}\)/g;

/** A mark is no data that left, and must not be counted as such. */
const withoutMarks = (record: HuntRecord): HuntRecord => ({
  ...record,
  name: record.name.replace(MARKS, '$1redacted'),
  isRedacted: true,
});

/** Lines with their numbers; the encrypted records of an audit in the place of the line they are in. */
async function* opened(
  lines: AsyncIterable<string>,
  file: string,
  unsealer: Unsealer | null,
): AsyncGenerator<{ readonly line: string; readonly number: number }> {
  let number = 0;
  for await (const line of lines) {
    number++;
    if (unsealer !== null && line.startsWith('{"type":"segment"')) unsealer.takeHeader(JSON.parse(line));
    const sealed = line.startsWith('{"type":"sealed"') ? readSealed(line) : null;
    if (sealed === null) {
      yield { line, number };
    } else if (unsealer !== null) {
      const records = unsealer.open(sealed).toString('latin1').split('\n');
      for (const record of records) yield { line: record, number };
    } else {
      throw new Error(
        `${file}: its records are encrypted; give the private key of a reader with --decrypt-key FILE`,
      );
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
