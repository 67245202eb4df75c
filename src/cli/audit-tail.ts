/** `sallyport audit tail`: the log as it grows, of all workers, with filters. Ends when its reader goes away. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import {
  type Found,
  isGone,
  parseLine,
  predicateOf,
  readSealed,
  readSegment,
  Sealed,
  type SegmentName,
  segmentNames,
  type Unsealer,
} from '../audit/index.ts';
import {
  DIRECTORY,
  type FilterFlags,
  filterOf,
  readCount,
  requireLog,
  unsealerOf,
  withFilters,
} from './audit-flags.ts';
import { mayColour, recordLine } from './audit-lines.ts';

interface Flags extends FilterFlags {
  readonly lines: number;
  readonly follow: boolean;
  readonly json?: boolean;
}

const POLL_MS = 150;

export const tailCommand = (): Command =>
  withFilters(
    new Command('tail')
      .description('print the newest records and then each new one')
      .argument('[directory]', 'where the segments are', DIRECTORY),
  )
    .option('-l, --lines <count>', 'how many to begin with', readCount, 10)
    .option('--no-follow', 'end after those')
    .option('--json', 'the lines as they stand in the log')
    .action(tail);

function tail(directory: string, flags: Flags): void {
  requireLog(directory);
  const passes = predicateOf(filterOf(directory, flags));
  const unsealer = unsealerOf(flags);
  const coloured = mayColour();
  const print = (found: Found): void => {
    process.stdout.write(`${flags.json ? found.line : recordLine(found, coloured)}\n`);
  };
  process.stdout.on('error', () => process.exit(0));
  const followers = new Map<number, Follower>();
  const begin: Found[] = [];
  for (const worker of new Set(segmentNames(directory).map((name) => name.worker))) {
    const follower = new Follower(directory, worker, unsealer);
    followers.set(worker, follower);
    begin.push(...follower.start().filter(({ record }) => passes(record)));
  }
  begin.sort((left, right) => (left.record.time < right.record.time ? -1 : 1));
  if (flags.lines > 0) begin.slice(-flags.lines).forEach(print);
  if (!flags.follow) return;
  const poll = (): void => {
    for (const { worker } of segmentNames(directory)) {
      if (!followers.has(worker)) followers.set(worker, new Follower(directory, worker, unsealer));
    }
    for (const follower of followers.values()) {
      for (const found of follower.next()) if (passes(found.record)) print(found);
    }
  };
  const timer = setInterval(() => {
    try {
      poll();
    } catch (error) {
      // For one, records are encrypted from now on.
      clearInterval(timer);
      console.error(`sallyport: ${(error as Error).message}`);
      process.exitCode = 1;
    }
  }, POLL_MS);
}

const PIECE = 1024 * 1024;

/** Reads one worker's log from where it was last read, over the ends of segments. */
class Follower {
  readonly #directory: string;
  readonly #worker: number;
  readonly #unsealer: Unsealer | null;
  #number = 0;
  #at = 0;
  /** Number of the last record. */
  #seq = 0;
  /** Octets of a line whose end has not been read. */
  #rest = Buffer.alloc(0);

  constructor(directory: string, worker: number, unsealer: Unsealer | null) {
    this.#unsealer = unsealer;
    this.#directory = directory;
    this.#worker = worker;
  }

  /** Records of the newest segment and the one before it. */
  start(): Found[] {
    const names = this.#names();
    const newest = names.at(-1);
    if (newest === undefined) return [];
    const before = names.at(-2);
    const found = before === undefined ? [] : this.#split(this.#whole(before));
    this.#rest = Buffer.alloc(0);
    this.#number = newest.number;
    return this.#counted([...found, ...this.#read(newest)]);
  }

  /** Records that have come since. */
  next(): Found[] {
    const found: Found[] = [];
    for (const name of this.#names()) {
      if (name.number < this.#number) continue;
      if (name.number > this.#number) {
        this.#number = name.number;
        this.#at = 0;
        this.#rest = Buffer.alloc(0);
      }
      found.push(...this.#read(name));
    }
    return this.#counted(found);
  }

  /** Says so when retention was faster than the reader. */
  #counted(found: Found[]): Found[] {
    for (const { record } of found) {
      if (this.#seq > 0 && record.seq > this.#seq + 1) {
        console.error(
          `sallyport: records ${this.#seq + 1} to ${record.seq - 1} of worker ${this.#worker} were deleted before they could be shown`,
        );
      }
      this.#seq = record.seq;
    }
    return found;
  }

  #names(): ReturnType<typeof segmentNames> {
    return segmentNames(this.#directory).filter((name) => name.worker === this.#worker);
  }

  #read(name: SegmentName): Found[] {
    let fd: number;
    try {
      if (name.compressed) return this.#readWhole(name);
      fd = openSync(join(this.#directory, name.file), 'r');
    } catch (error) {
      if (!isGone(error)) throw error;
      // It was removed or compressed between looking and opening.
      return this.#readWhole(name);
    }
    const found: Found[] = [];
    try {
      const { size } = fstatSync(fd);
      // A failed write that was cut off again makes the file shorter than what was read.
      if (size < this.#at) this.#at = size;
      while (this.#at < size) {
        const piece = Buffer.alloc(Math.min(PIECE, size - this.#at));
        const count = readSync(fd, piece, 0, piece.length, this.#at);
        if (count === 0) break;
        this.#at += count;
        found.push(...this.#split(Buffer.concat([this.#rest, piece.subarray(0, count)])));
      }
    } finally {
      closeSync(fd);
    }
    return found;
  }

  /** What is left of a segment that was compressed before all of it was read. */
  #readWhole(name: SegmentName): Found[] {
    const octets = this.#whole(name);
    if (octets.length <= this.#at) return [];
    const rest = Buffer.concat([this.#rest, octets.subarray(this.#at)]);
    this.#at = octets.length;
    return this.#split(rest);
  }

  /** Empty once it is gone. */
  #whole(name: SegmentName): Buffer {
    try {
      return readSegment(this.#directory, name);
    } catch (error) {
      if (!isGone(error)) throw error;
      return Buffer.alloc(0);
    }
  }

  #split(octets: Buffer): Found[] {
    const found: Found[] = [];
    let at = 0;
    for (let end = octets.indexOf(10); end >= 0; end = octets.indexOf(10, at)) {
      found.push(...this.#recordsOf(octets.toString('utf8', at, end)));
      at = end + 1;
    }
    this.#rest = Buffer.from(octets.subarray(at));
    return found;
  }

  /** The record of a line, or those in it where they are encrypted. */
  #recordsOf(line: string): Found[] {
    if (line.startsWith('{"type":"segment"')) this.#unsealer?.takeHeader(JSON.parse(line));
    const sealed = readSealed(line);
    if (sealed !== null && this.#unsealer === null) {
      throw new Sealed(
        'the records are encrypted (audit.encryptTo); give the private key of a reader with --decrypt-key FILE',
      );
    }
    const lines =
      sealed === null ? [line] : (this.#unsealer?.open(sealed).toString('utf8').split('\n') ?? []);
    return lines.map((text) => parseLine(text, this.#worker)).filter((found) => found !== null);
  }
}
