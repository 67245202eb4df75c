/** One worker's log, read from its first segment to its last: see `verify.ts` for what is checked. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { decompress } from './compress.ts';
import { isSealedAt, readSealed, Sealed, type SealedLine, sealedCountAt, WrongKey } from './unseal.ts';
import { Erasures, stubNumber } from './verify-erasures.ts';
import {
  HASH,
  isHashes,
  isNote,
  isSigned,
  LEAF,
  LEAF_LINES,
  NEWLINE,
  numberOf,
  parse,
  RECORD_PREFIX,
  Roots,
  readNumber,
  SIGNED,
  sha256,
  startsWith,
  TYPE_PREFIX,
  timeInName,
  tornEnd,
} from './verify-format.ts';
import { KeyTrace } from './verify-keys.ts';
import type { Claim, Fault, VerifyOptions, WorkerReport } from './verify-report.ts';

/** More of one worker are not reported. */
const FAULTS_MAX = 50;

/** No write of the log takes longer, but where the machine stands still. */
const LINE_MS = 50;

/** Clocks are corrected by less than this without a word. */
const CLOCK_STEP_MS = 60_000;

interface Ended {
  readonly file: string;
  readonly octets: Buffer;
  /** Where its last block line begins, and the record numbers there. */
  readonly openAt: number;
  readonly openSeq: number;
  readonly openLine: number;
}

export class WorkerCheck {
  readonly worker: number;
  readonly mentions: Claim[] = [];
  readonly #directory: string;
  readonly #options: VerifyOptions;
  /** How long each file was at the beginning: of the segment that is written, no more is looked at. */
  readonly #ends: ReadonlyMap<string, number>;
  readonly #faults: Fault[];
  readonly #remarks: string[];
  readonly #claims: Map<number, Claim[]> = new Map();
  /** Claims whose root the log has had. */
  readonly #answered: Claim[] = [];
  /** Root at the size of each checkpoint, for mentions by others. */
  readonly #rootAt = new Map<number, string>();
  readonly #roots = new Roots();
  #sizeAtStart = 0;
  /** The first segment that is here when it is not the first of all, and how far records say that segments were retired. */
  #retiredBefore: { readonly number: number; readonly file: string; readonly at: string } | null = null;
  readonly #retirements: { readonly seq: number; readonly through: number }[] = [];
  #last: Ended | null = null;
  #segments = 0;
  #since = '';
  #firstRecord = 0;
  #seq = 0;
  #lastSigned = 0;
  #checkpoints = 0;
  /** Records in sealed lines, and those of them that were opened. */
  #sealed = 0;
  #opened = 0;
  #erased = 0;
  readonly #erasures = new Erasures();
  #lastCheckpoint: WorkerReport['lastCheckpoint'] = null;
  #faultCount = 0;
  readonly #keys: KeyTrace;
  // The segment at hand.
  #file = '';
  /** Whether its closing checkpoint has been read. */
  #isClosed = false;
  #octets: Buffer = Buffer.alloc(0);
  #at = 0;
  #line = 0;
  #blockAt = 0;
  #blockSeq = 0;
  #blockLine = 1;

  constructor(
    directory: string,
    worker: number,
    options: VerifyOptions,
    claims: readonly Claim[],
    ends: ReadonlyMap<string, number>,
    faults: Fault[],
    remarks: string[],
  ) {
    this.#directory = directory;
    this.#ends = ends;
    this.worker = worker;
    this.#options = options;
    this.#keys = new KeyTrace(directory, worker);
    this.#faults = faults;
    this.#remarks = remarks;
    for (const claim of claims) {
      if (claim.worker !== worker) continue;
      const same = this.#claims.get(claim.size) ?? [];
      same.push(claim);
      this.#claims.set(claim.size, same);
    }
  }

  #fault(what: string, offset = this.#at, line = this.#line, file = this.#file): void {
    this.#faultCount++;
    if (this.#faultCount > FAULTS_MAX) return;
    const shown =
      this.#faultCount === FAULTS_MAX ? `${what} (further faults of this worker are not shown)` : what;
    this.#faults.push({ worker: this.worker, file, offset, line, what: shown });
  }

  /** Reads one segment ahead: only the header of the next one tells where a segment ends that could not be cut. */
  segments(files: readonly string[]): void {
    const read = (i: number): Buffer | null => {
      if (i >= files.length) return null;
      const octets = this.#read(files[i]);
      const isOpen = i === files.length - 1 && !/\.(gz|zst)$/.test(files[i]);
      return octets !== null && isOpen ? this.#untilNow(files[i], octets) : octets;
    };
    let octets = read(0);
    for (let i = 0; i < files.length; i++) {
      const next = read(i + 1);
      this.#file = files[i];
      if (octets === null) this.#last = null;
      else this.#segment(files[i], octets, next === null ? Number.POSITIVE_INFINITY : tornEnd(next));
      octets = next;
    }
  }

  #segment(file: string, whole: Buffer, limit: number): void {
    this.#file = file;
    this.#at = 0;
    this.#line = 1;
    const read = whole.subarray(0, Math.min(limit, whole.length));
    this.#octets = read;
    this.#segments++;
    const headerEnd = read.indexOf(NEWLINE);
    const header = headerEnd < 0 ? null : parse(read.toString('utf8', 0, headerEnd));
    if (header?.['type'] !== 'segment') {
      this.#fault('the first line is not a segment header');
      this.#last = null;
      return;
    }
    this.#checkHeader(header);
    this.#isClosed = false;
    this.#blockAt = 0;
    this.#blockSeq = this.#seq;
    this.#blockLine = 1;
    for (let at = headerEnd + 1, line = 2; at < read.length; line++) {
      const end = read.indexOf(NEWLINE, at);
      this.#at = at;
      this.#line = line;
      if (end < 0) {
        this.#fault(
          'the file ends in the middle of a line: it was cut, or a crash has not been repaired yet',
        );
        break;
      }
      this.#checkLine(at, end);
      at = end + 1;
    }
    this.#last = {
      file,
      octets: whole,
      openAt: this.#blockAt,
      openSeq: this.#blockSeq,
      openLine: this.#blockLine,
    };
    this.#options.onSegment?.(file, read.length);
  }

  /** The newest segment as long as it was at the beginning, and without a line that was being written then. */
  #untilNow(file: string, octets: Buffer): Buffer {
    const end = this.#ends.get(file) ?? octets.length;
    const until = octets.subarray(0, Math.min(end, octets.length));
    const lineEnd = until.lastIndexOf(NEWLINE) + 1;
    if (lineEnd === until.length || lineEnd === 0) return until;
    // A line that nobody goes on with is torn.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LINE_MS);
    const size = statSync(join(this.#directory, file), { throwIfNoEntry: false })?.size ?? 0;
    return size > end ? until.subarray(0, lineEnd) : until;
  }

  /** Also a segment that was compressed since its name was read. Null: a fault, or it is gone and its successor will say so. */
  #read(file: string): Buffer | null {
    const plain = file.replace(/\.(gz|zst)$/, '');
    const here = [file, plain, `${plain}.gz`, `${plain}.zst`].find((form) =>
      existsSync(join(this.#directory, form)),
    );
    // While this runs, retention may delete the oldest segments; the record of it lies in a later one.
    if (here === undefined) return null;
    try {
      return decompress(here, readFileSync(join(this.#directory, here)));
    } catch (error) {
      this.#fault(`the file cannot be read: ${(error as Error).message}`, 0, 0, file);
      return null;
    }
  }

  #checkHeader(header: Record<string, unknown>): void {
    const { version, worker, number, seq, time, key, previous, tree } = header;
    if (header['decrypted'] === true) {
      this.#fault(
        'this is a decrypted copy, which nothing proves; verify the encrypted segment it was made from, with --decrypt-key',
      );
    }
    if (version !== 1) this.#fault(`version ${JSON.stringify(version)} of the format is not known`);
    if (worker !== this.worker) this.#fault(`the header is of worker ${JSON.stringify(worker)}`);
    if (number !== numberOf(this.#file)) {
      this.#fault(`the header is of segment ${JSON.stringify(number)}, not of the one in the file's name`);
    }
    // Searches leave segments out by the time in their names.
    if (time !== timeInName(this.#file)) {
      this.#fault(`the header says ${JSON.stringify(time)}, the name of the file another time`);
    }
    if (typeof key !== 'string' || !HASH.test(key)) {
      this.#fault('the header names no public key');
    } else if (this.#segments === 1) {
      this.#since = String(time);
      this.#keys.begin(key);
      const trusted = this.#options.keys?.get(this.worker);
      if (trusted === undefined) {
        this.#remarks.push(
          `worker ${this.worker}: no trusted key was given; signatures were checked against the key that the log itself names`,
        );
      } else if (this.#keys.after(trusted, key) !== key) {
        const how = number === 1 ? '' : ', and no announcement in its .keys file leads from one to the other';
        this.#fault(`the log begins with the key ${key}, not with the trusted key ${trusted}${how}`);
      } else {
        this.#checkBeginning(time);
      }
    } else {
      this.#takeKey(key, 'the header');
    }
    this.#checkLink(number, previous);
    this.#checkTree(tree);
    try {
      this.#options.unsealer?.takeHeader(header);
    } catch (error) {
      if (!(error instanceof Sealed) || error instanceof WrongKey) throw error;
      this.#fault(error.message);
    }
    if (typeof seq !== 'number') {
      this.#fault('the header does not say which record comes first');
    } else if (this.#segments === 1) {
      this.#firstRecord = this.#seq = seq;
      if (number === 1 && seq !== 1) this.#fault(`the log begins with record ${seq}, not with 1`);
    } else if (seq !== this.#seq) {
      this.#fault(`the segment begins with record ${seq}; record ${this.#seq} was due`);
      this.#seq = seq;
    }
  }

  /** A log whose first segments were retired begins no earlier than its key was announced. */
  #checkBeginning(time: unknown): void {
    const announced = this.#keys.used.at(-1);
    if (announced === undefined || typeof time !== 'string') return;
    if (Date.parse(time) >= Date.parse(announced.time) - CLOCK_STEP_MS) return;
    this.#fault(
      `the log begins at ${time} with a key that was not announced before ${announced.time}: the clock was set back in between, or what stands here was written later than it says`,
    );
  }

  /** Whether the header continues the segment before it, which is counted up to where the header says. */
  #checkLink(number: unknown, previous: unknown): void {
    const before = this.#last;
    const said = (previous ?? {}) as Record<string, unknown>;
    if (previous === null) {
      if (number !== 1 || before !== null) this.#fault('the header names no segment before this one');
      return;
    }
    const { file, octets, leaves, torn } = said;
    if (typeof file !== 'string' || typeof octets !== 'number' || !isHashes(leaves)) {
      this.#fault('the header does not say where the segment before it ends');
      return;
    }
    if (before === null && this.#segments === 1 && typeof number === 'number') {
      // Whether it may be missing is known once all records have been read.
      this.#retiredBefore = { number, file, at: this.#file };
      this.#sizeAtStart = -1;
      return;
    }
    if (before === null || before.file.replace(/\.(gz|zst)$/, '') !== file) {
      this.#fault(`the segment before this one, ${file}, is missing`);
      this.#sizeAtStart = -1;
      return;
    }
    if (before.octets.length < octets) {
      const what = `the segment ends at octet ${before.octets.length}; the next one says that it had ${octets}`;
      this.#fault(what, before.octets.length, 0, before.file);
    } else if (before.octets.length > octets) {
      const what = `${before.octets.length - octets} octets lie behind the end that the next segment states`;
      if (torn === true) this.#remarks.push(`${before.file}: ${what}; a failed write could not be cut off`);
      else this.#fault(what, octets, 0, before.file);
    }
    this.#checkLeaves(
      before.file,
      before.octets,
      before.openAt,
      octets,
      before.openSeq,
      before.openLine,
      leaves,
    );
  }

  #checkTree(tree: unknown): void {
    const { size, frontier } = (tree ?? {}) as { size?: unknown; frontier?: unknown };
    if (typeof size !== 'number' || !isHashes(frontier)) {
      this.#fault('the header does not give the tree so far');
      return;
    }
    const isFirst = this.#segments === 1;
    const same =
      size === this.#roots.size &&
      frontier.length === this.#roots.subtrees.length &&
      frontier.every((hash, i) => hash === this.#roots.subtrees[i].toString('hex'));
    if (same) return;
    if (!isFirst && this.#sizeAtStart !== -1)
      this.#fault('the tree in the header is not that of the segments before');
    else if (isFirst && this.#sizeAtStart !== -1)
      this.#fault('a log cannot begin with a tree that has leaves');
    // From here on the header is taken at its word, so that what follows can be checked against itself.
    this.#roots.size = size;
    this.#roots.subtrees = frontier.map((hash) => Buffer.from(hash, 'hex'));
    this.#sizeAtStart = size;
  }

  #checkLine(at: number, end: number): void {
    const octets = this.#octets;
    if (this.#isClosed) {
      this.#fault('lines stand behind the checkpoint that closed the segment');
      this.#isClosed = false;
    }
    if (startsWith(octets, at, RECORD_PREFIX)) {
      this.#checkRecord(readNumber(octets, at + RECORD_PREFIX.length));
      return;
    }
    const text = octets.toString('utf8', at, end);
    const value = startsWith(octets, at, TYPE_PREFIX) ? parse(text) : null;
    if (value === null) {
      this.#fault('the line is not one of the log');
    } else if (value['type'] === 'block' || value['type'] === 'checkpoint') {
      this.#checkBlock(value, at);
      if (value['type'] === 'checkpoint') this.#checkCheckpoint(value, text);
    } else if (value['type'] === 'sealed') {
      this.#checkSealed(text);
    } else if (typeof value['seq'] === 'number' && value['type'] !== 'segment') {
      this.#checkRecord(value['seq']);
      if (value['type'] === 'erased' && !this.#erasures.take(value)) {
        this.#fault('the record of an erasure does not say which leaves it changed');
      }
      const { through } = value;
      if (value['type'] === 'retired' && typeof through === 'number') {
        this.#retirements.push({ seq: value['seq'], through });
      }
    } else {
      this.#fault(`a line of type ${JSON.stringify(value['type'])} has no place here`);
    }
  }

  #checkRecord(seq: number): void {
    if (seq !== this.#seq) this.#fault(`record ${seq} stands where record ${this.#seq} was due`);
    this.#seq = (Number.isSafeInteger(seq) ? seq : this.#seq) + 1;
  }

  #checkSealed(text: string): void {
    const line = readSealed(text);
    if (line === null || line.count < 1) {
      this.#fault('the line is of type sealed and not what one looks like');
      return;
    }
    if (line.seq !== this.#seq)
      this.#fault(`sealed records from ${line.seq} on stand where record ${this.#seq} was due`);
    this.#seq = line.seq + line.count;
    this.#sealed += line.count;
    if (this.#options.unsealer !== undefined) this.#open(line);
  }

  /** With the key of a reader: whether the line opens, and holds the records that it says. */
  #open(line: SealedLine): void {
    let records: string[];
    try {
      records = this.#options.unsealer!.open(line).toString('utf8').split('\n').slice(0, -1);
    } catch (error) {
      if (!(error instanceof Sealed)) throw error;
      this.#fault(error.message);
      return;
    }
    this.#opened += records.length;
    const wrong = records.findIndex((record, i) => parse(record)?.['seq'] !== line.seq + i);
    if (wrong >= 0) this.#fault(`in the sealed line another record stands where ${line.seq + wrong} was due`);
    else if (records.length !== line.count)
      this.#fault(`the sealed line holds ${records.length} records and says ${line.count}`);
  }

  #checkBlock(value: Record<string, unknown>, at: number): void {
    const { leaves, size } = value;
    if (!isHashes(leaves)) {
      this.#fault('the line lists no leaves');
      return;
    }
    this.#checkLeaves(this.#file, this.#octets, this.#blockAt, at, this.#blockSeq, this.#blockLine, leaves);
    this.#blockAt = at;
    this.#blockSeq = this.#seq;
    this.#blockLine = this.#line;
    if (size !== this.#roots.size) {
      this.#fault(`the tree should have ${JSON.stringify(size)} leaves here and has ${this.#roots.size}`);
    }
  }

  /** Compares the leaves of `octets[at … end)` with those listed, and takes the listed ones into the tree. */
  #checkLeaves(
    file: string,
    octets: Buffer,
    at: number,
    end: number,
    seq: number,
    line: number,
    listed: readonly string[],
  ): void {
    let index = 0;
    let from = seq;
    let leafAt = at;
    let leafLine = line;
    let reported = false;
    for (let next = at, lines = 0; next < Math.min(end, octets.length); ) {
      if (isSealedAt(octets, next)) seq += sealedCountAt(octets, next);
      else if (!startsWith(octets, next, TYPE_PREFIX) || isNote(octets, next)) seq++;
      const newline = octets.indexOf(NEWLINE, next);
      next = newline < 0 ? octets.length : newline + 1;
      lines++;
      if (lines % LEAF_LINES !== 0 && next < Math.min(end, octets.length)) continue;
      const hash = sha256(LEAF, octets.subarray(leafAt, next)).toString('hex');
      const isErased =
        hash !== listed[index] &&
        listed[index] !== undefined &&
        this.#mayBeErased(file, octets.subarray(leafAt, next), leafAt, leafLine, {
          index: this.#roots.size + index,
          listed: listed[index],
          actual: hash,
        });
      if (hash === listed[index]) this.#erasures.whole(this.#roots.size + index);
      if (hash !== listed[index] && !isErased && !reported) {
        reported = true;
        const records = seq > from ? `records ${from} to ${seq - 1}` : 'no records';
        const what = `octets ${leafAt} to ${next - 1} (${records}) are not what was written: their hash is not the one listed`;
        this.#fault(what, leafAt, leafLine, file);
      }
      this.#options.onLeaf?.(this.worker, {
        index: this.#roots.size + index,
        hash: isErased ? listed[index] : hash,
        actual: hash,
        file,
        at: leafAt,
        end: next,
        from,
        to: seq,
      });
      index++;
      leafAt = next;
      from = seq;
      leafLine = line + lines;
    }
    if (index !== listed.length && !reported) {
      this.#fault(`${listed.length} leaves are listed for the ${index} that are there`, at, line, file);
    }
    for (const hash of listed) {
      this.#roots.add(Buffer.from(hash, 'hex'));
      this.#checkClaims();
    }
  }

  /** Notes a leaf that is not as it was written and holds erased records; whether that was recorded is known at the end. */
  #mayBeErased(
    file: string,
    leaf: Buffer,
    offset: number,
    line: number,
    hashes: { readonly index: number; readonly listed: string; readonly actual: string },
  ): boolean {
    const lines = leaf.toString('utf8').split('\n');
    const stubs = lines.map(stubNumber).filter((number) => number !== null);
    // A sealed line that was made anew has another turn than the one it was written with.
    const sealed = lines.some((text) => (readSealed(text)?.turn ?? 0) > 0);
    if (stubs.length === 0 && !sealed) return false;
    this.#erasures.suspect({
      ...hashes,
      place: { worker: this.worker, file, offset, line },
      what: `octets ${offset} to ${offset + leaf.length - 1} are not what was written`,
      stubs: sealed ? null : stubs,
    });
    return true;
  }

  #checkClaims(): void {
    const claims = this.#claims.get(this.#roots.size);
    if (claims === undefined) return;
    this.#claims.delete(this.#roots.size);
    const root = this.#roots.root();
    for (const claim of claims) {
      if (claim.root !== root) {
        this.#faults.push({
          ...claim.place,
          what: `this checkpoint is of another history: at ${claim.size} leaves (${this.#file}, line ${this.#line}) the root is ${root}`,
        });
      } else {
        this.#answered.push(claim);
      }
    }
  }

  #checkCheckpoint(value: Record<string, unknown>, text: string): void {
    this.#checkpoints++;
    const { root, key, next, worker, others, closes } = value;
    if (closes === true) this.#isClosed = true;
    if (worker !== this.worker) this.#fault('the checkpoint is of another worker');
    const actual = this.#roots.root();
    if (root !== actual) this.#fault(`the root should be ${JSON.stringify(root)} here and is ${actual}`);
    this.#rootAt.set(this.#roots.size, actual);
    this.#lastCheckpoint = { size: this.#roots.size, root: actual, time: String(value['time']) };
    const [, signed, signature] = SIGNED.exec(text) ?? [];
    if (signed === undefined || signature === undefined || typeof key !== 'string') {
      this.#fault('the checkpoint is not signed');
    } else {
      this.#takeKey(key, 'the checkpoint');
      if (isSigned(signed, signature, key)) this.#lastSigned = this.#seq - 1;
      else this.#fault('the signature of the checkpoint does not hold');
    }
    if (typeof next === 'string') this.#keys.announce(next);
    if (!Array.isArray(others)) return;
    const place = { worker: this.worker, file: this.#file, offset: this.#at, line: this.#line };
    for (const other of others as unknown[]) {
      const { worker: name, size, root: said } = (other ?? {}) as Record<string, unknown>;
      if (typeof name === 'number' && typeof size === 'number' && typeof said === 'string') {
        this.mentions.push({ worker: name, size, root: said, place });
      }
    }
  }

  #takeKey(key: string, who: string): void {
    if (!this.#keys.take(key)) this.#fault(`${who} names the key ${key}, which no checkpoint has announced`);
  }

  /** After the last segment: what is left in the open block, and claims that nothing in the log answers. */
  end(): void {
    const last = this.#last;
    const first = this.#retiredBefore;
    // A record that nobody signed may be anybody's.
    const through = this.#retirements
      .filter(({ seq }) => seq <= this.#lastSigned)
      .reduce((most, retirement) => Math.max(most, retirement.through), 0);
    if (first !== null && first.number - 1 > through) {
      this.#fault(`the segment before this one, ${first.file}, is missing`, 0, 1, first.at);
    } else if (first !== null) {
      this.#remarks.push(
        `worker ${this.worker}: segments 1 to ${first.number - 1} were retired, as the log itself records`,
      );
    }
    if (last !== null) {
      this.#file = last.file;
      const leaves = this.#openLeaves(last);
      for (const leaf of leaves) {
        this.#roots.add(leaf);
        this.#checkClaims();
      }
      this.#judgeErasures();
      this.#remarkSealed();
      const open = this.#seq - 1 - this.#lastSigned;
      if (open > 0)
        this.#remarks.push(`worker ${this.worker}: no checkpoint covers the last ${open} records yet`);
    }
    this.#checkAnnouncements();
    for (const claim of this.#answered) {
      if (this.#rootAt.has(claim.size)) continue;
      const what = `the log of worker ${this.worker} has the records of this checkpoint, and not its line any more`;
      this.#faults.push({ ...claim.place, what });
    }
    for (const [size, claims] of this.#claims) {
      for (const claim of claims) {
        if (size < this.#sizeAtStart) {
          this.#remarks.push(
            `a checkpoint of worker ${this.worker} at ${size} leaves lies before the first segment here`,
          );
          continue;
        }
        this.#faults.push({
          ...claim.place,
          what: `the log of worker ${this.worker} ends after ${this.#roots.size} leaves${last === null ? '' : ` (${last.file}, record ${this.#seq - 1})`}; this checkpoint is of ${size}: its end is missing`,
        });
      }
    }
  }

  /** The log must have had what it was when the announcements were made by which its keys were taken on. */
  #checkAnnouncements(): void {
    for (const { size, root, next, place } of this.#keys.used) {
      if (size < this.#sizeAtStart || this.#rootAt.get(size) === root) continue;
      this.#faults.push({
        ...place,
        what: `the key ${next} was announced at ${size} leaves, and this log has no such checkpoint there: it was cut before and goes on otherwise`,
      });
    }
  }

  #judgeErasures(): void {
    const { erased, faults, remarks } = this.#erasures.judge(this.#lastSigned);
    this.#erased = erased;
    for (const { what, offset, line, file } of faults) this.#fault(what, offset, line, file);
    for (const remark of remarks) this.#remarks.push(`worker ${this.worker}: ${remark}`);
  }

  #remarkSealed(): void {
    const count = this.#sealed - this.#opened;
    if (count <= 0 || this.#options.unsealer !== undefined) return;
    this.#remarks.push(
      `worker ${this.worker}: ${count} records are encrypted: that none was changed, removed or added was checked, what they say was not (give --decrypt-key)`,
    );
  }

  #openLeaves(last: Ended): Buffer[] {
    const leaves: Buffer[] = [];
    let leafAt = last.openAt;
    for (let at = leafAt, lines = 0; at < last.octets.length; ) {
      const newline = last.octets.indexOf(NEWLINE, at);
      if (newline < 0) break;
      // No hash covers these yet; at least each must be a whole line of the log.
      if (parse(last.octets.toString('utf8', at, newline)) === null) {
        this.#fault('the line is not one of the log', at, last.openLine + lines, last.file);
      }
      at = newline + 1;
      if (++lines % LEAF_LINES !== 0 && last.octets.indexOf(NEWLINE, at) >= 0) continue;
      leaves.push(sha256(LEAF, last.octets.subarray(leafAt, at)));
      leafAt = at;
    }
    return leaves;
  }

  isAsMentioned(mention: Claim): void {
    if (mention.size < this.#sizeAtStart) return;
    const root = this.#rootAt.get(mention.size);
    if (root === mention.root) return;
    const what =
      root === undefined
        ? `mentions a checkpoint of worker ${this.worker} at ${mention.size} leaves that its log does not have`
        : `mentions another root of worker ${this.worker} at ${mention.size} leaves than its log has`;
    this.#faults.push({ ...mention.place, what });
  }

  report(): WorkerReport {
    return {
      worker: this.worker,
      segments: this.#segments,
      since: this.#since,
      records: this.#segments === 0 ? 0 : this.#seq - this.#firstRecord,
      firstRecord: this.#firstRecord,
      lastRecord: this.#seq - 1,
      lastSigned: this.#lastSigned,
      sealed: this.#sealed,
      erased: this.#erased,
      checkpoints: this.#checkpoints,
      lastCheckpoint: this.#lastCheckpoint,
      leaves: this.#roots.size,
      root: this.#roots.root(),
      firstKey: this.#keys.first,
      lastKey: this.#keys.current,
    };
  }
}
