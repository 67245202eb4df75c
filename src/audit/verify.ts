/**
 * Whether a log is what was written. It reads nothing but the files, shares no code with the writer but the reading of
 * compressed files, and needs no network. What it finds is named with file, octet and line.
 *
 * What is checked, for each worker:
 *    · segments are numbered without a gap, each header names the end of the segment before it
 *    · records are numbered without a hole
 *    · every octet lies in a leaf whose hash is listed, and the leaves add up to the root that each checkpoint states
 *    · each checkpoint is signed by the key that the one before it left in charge, beginning with the trusted one
 *    · the root is what checkpoints kept elsewhere, `*.head` files and the logs of other workers say it was
 */
import { createHash, createPublicKey, verify as verifySignature } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decompress } from './compress.ts';

export interface Fault {
  readonly worker: number;
  readonly file: string;
  /** Octet in the (uncompressed) file where what is wrong begins, and its line from 1. */
  readonly offset: number;
  readonly line: number;
  readonly what: string;
}

export interface WorkerReport {
  readonly worker: number;
  readonly segments: number;
  readonly records: number;
  readonly firstRecord: number;
  readonly lastRecord: number;
  /** Last record that a signed checkpoint covers. */
  readonly lastSigned: number;
  readonly checkpoints: number;
  /** Size of the tree, in leaves, and root at the newest checkpoint. */
  readonly lastCheckpoint: { readonly size: number; readonly root: string } | null;
  readonly leaves: number;
  readonly root: string;
  /** First and last public key seen. */
  readonly firstKey: string;
  readonly lastKey: string;
}

export interface AuditReport {
  readonly ok: boolean;
  readonly workers: readonly WorkerReport[];
  readonly faults: readonly Fault[];
  /** What is no fault and should be known: no key was given, records not yet covered, torn ends that were repaired. */
  readonly remarks: readonly string[];
}

export interface VerifyOptions {
  /** First public key per worker, hex, as in `keys.pub`; workers not listed are taken at their own word, with a remark. */
  readonly keys?: ReadonlyMap<number, string>;
  /** Checkpoint lines kept elsewhere, in any order. */
  readonly checkpoints?: readonly string[];
  /** Called after each segment, for progress bars. */
  readonly onSegment?: (file: string, octets: number) => void;
  /** Receives each leaf's hash (hex) with its place: what proofs are made of. */
  readonly onLeaf?: (worker: number, leaf: LeafPlace) => void;
}

export interface LeafPlace {
  readonly index: number;
  readonly hash: string;
  readonly file: string;
  readonly at: number;
  readonly end: number;
  /** Numbers of the first record in it and of the first behind it. */
  readonly from: number;
  readonly to: number;
}

const FAULTS_MAX = 50;
const LEAF_LINES = 32;
const NEWLINE = 10;
const SEGMENT_NAME = /^w(\d+)-(\d{8,})-\d{8}T\d{9}Z\.ndjson(\.gz|\.zst)?$/;
const HEAD_NAME = /^w(\d+)\.head$/;
const HASH = /^[0-9a-f]{64}$/;
const SIGNED = /^(\{"type":"checkpoint",.*),"sig":"([0-9a-f]{128})"\}$/s;
const CONTEXT = 'sallyport audit checkpoint 1\n';
const RECORD_PREFIX = Buffer.from('{"seq":');
const TYPE_PREFIX = Buffer.from('{"type":"');

/** Reads and checks every segment in `directory`. Throws only when the directory cannot be read. */
export function verifyAudit(directory: string, options: VerifyOptions = {}): AuditReport {
  const names = readdirSync(directory);
  const faults: Fault[] = [];
  const remarks: string[] = [];
  const claims = claimsOf(directory, names, options.checkpoints ?? [], faults);
  const byWorker = new Map<number, string[]>();
  for (const file of names.sort()) {
    const worker = SEGMENT_NAME.exec(file)?.[1];
    if (worker === undefined) continue;
    const files = byWorker.get(Number(worker)) ?? [];
    files.push(file);
    byWorker.set(Number(worker), files);
  }
  for (const worker of options.keys?.keys() ?? []) {
    if (!byWorker.has(worker)) byWorker.set(worker, []);
  }
  for (const { worker } of claims) if (!byWorker.has(worker)) byWorker.set(worker, []);

  const checks = [...byWorker].map(([worker, files]) => {
    const check = new WorkerCheck(directory, worker, options, claims, faults, remarks);
    check.segments(files.sort((left, right) => numberOf(left) - numberOf(right)));
    check.end();
    return check;
  });
  for (const check of checks) {
    for (const mention of check.mentions) {
      checks.find((other) => other.worker === mention.worker)?.isAsMentioned(mention);
      if (!byWorker.has(mention.worker)) {
        faults.push({
          ...mention.place,
          what: `mentions worker ${mention.worker}, of which there is no log`,
        });
      }
    }
  }
  if (checks.length === 0) remarks.push(`${directory} holds no segments`);
  return { ok: faults.length === 0, workers: checks.map((check) => check.report()), faults, remarks };
}

/** Where a header says that the segment before it ends, if more may lie behind; infinite otherwise. */
function tornEnd(octets: Buffer): number {
  const end = octets.indexOf(NEWLINE);
  const previous =
    end < 0 ? null : (parse(octets.toString('utf8', 0, end))?.['previous'] as Record<string, unknown>);
  if (previous?.['torn'] !== true || typeof previous['octets'] !== 'number') return Number.POSITIVE_INFINITY;
  return previous['octets'];
}

const numberOf = (file: string): number => Number(SEGMENT_NAME.exec(file)?.[2]);

type Place = Pick<Fault, 'worker' | 'file' | 'offset' | 'line'>;

/** Somebody says that worker's tree had this root at this size. */
interface Claim {
  readonly worker: number;
  readonly size: number;
  readonly root: string;
  readonly place: Place;
}

function claimsOf(
  directory: string,
  names: readonly string[],
  given: readonly string[],
  faults: Fault[],
): Claim[] {
  const claims: Claim[] = [];
  const add = (line: string, file: string, number: number): void => {
    if (line.trim() === '') return;
    const place = { worker: 0, file, offset: 0, line: number };
    const value = parse(line.trim());
    const { worker, size, root } = value ?? {};
    if (typeof worker === 'number' && typeof size === 'number' && typeof root === 'string') {
      claims.push({ worker, size, root, place: { ...place, worker } });
    } else {
      faults.push({ ...place, what: 'this is no checkpoint line (it needs worker, size and root)' });
    }
  };
  given.forEach((line, i) => {
    add(line, 'checkpoint given', i + 1);
  });
  for (const file of names)
    if (HEAD_NAME.test(file)) add(readFileSync(join(directory, file), 'utf8'), file, 1);
  return claims;
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** RFC 9162 section 2.1.1, kept as the roots of complete subtrees. */
class Roots {
  size = 0;
  subtrees: Buffer[] = [];

  add(leaf: Buffer): void {
    let hash = leaf;
    for (let rest = this.size; rest % 2 === 1; rest = (rest - 1) / 2)
      hash = sha256(NODE, this.subtrees.pop()!, hash);
    this.subtrees.push(hash);
    this.size++;
  }

  root(): string {
    if (this.subtrees.length === 0) return sha256().toString('hex');
    return this.subtrees.reduceRight((right, left) => sha256(NODE, left, right)).toString('hex');
  }
}

interface Ended {
  readonly file: string;
  readonly octets: Buffer;
  /** Where its last block line begins, and the record numbers there. */
  readonly openAt: number;
  readonly openSeq: number;
  readonly openLine: number;
}

class WorkerCheck {
  readonly worker: number;
  readonly mentions: Claim[] = [];
  readonly #directory: string;
  readonly #options: VerifyOptions;
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
  #retiredThrough = 0;
  #last: Ended | null = null;
  #segments = 0;
  #firstRecord = 0;
  #seq = 0;
  #lastSigned = 0;
  #checkpoints = 0;
  #lastCheckpoint: { readonly size: number; readonly root: string } | null = null;
  #faultCount = 0;
  #firstKey = '';
  #key = '';
  #next: string | null = null;
  // The segment at hand.
  #file = '';
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
    faults: Fault[],
    remarks: string[],
  ) {
    this.#directory = directory;
    this.worker = worker;
    this.#options = options;
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
    let octets = files.length === 0 ? null : this.#read(files[0]);
    for (let i = 0; i < files.length; i++) {
      const next = i + 1 < files.length ? this.#read(files[i + 1]) : null;
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

  #read(file: string): Buffer | null {
    try {
      const octets = readFileSync(join(this.#directory, file));
      return decompress(file, octets);
    } catch (error) {
      this.#fault(`the file cannot be read: ${(error as Error).message}`, 0, 0, file);
      return null;
    }
  }

  #checkHeader(header: Record<string, unknown>): void {
    const { version, worker, number, seq, key, previous, tree } = header;
    if (version !== 1) this.#fault(`version ${JSON.stringify(version)} of the format is not known`);
    if (worker !== this.worker) this.#fault(`the header is of worker ${JSON.stringify(worker)}`);
    if (number !== numberOf(this.#file)) {
      this.#fault(`the header is of segment ${JSON.stringify(number)}, not of the one in the file's name`);
    }
    if (typeof key !== 'string' || !HASH.test(key)) {
      this.#fault('the header names no public key');
    } else if (this.#segments === 1) {
      this.#firstKey = key;
      this.#key = key;
      const trusted = this.#options.keys?.get(this.worker);
      if (trusted === undefined) {
        this.#remarks.push(
          `worker ${this.worker}: no trusted key was given; signatures were checked against the key that the log itself names`,
        );
      } else if (this.#keyAfter(trusted, key) !== key) {
        const how = number === 1 ? '' : ', and no announcement in its .keys file leads from one to the other';
        this.#fault(`the log begins with the key ${key}, not with the trusted key ${trusted}${how}`);
      }
    } else {
      this.#takeKey(key, 'the header');
    }
    this.#checkLink(number, previous);
    this.#checkTree(tree);
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
    } else if (typeof value['seq'] === 'number' && value['type'] !== 'segment') {
      this.#checkRecord(value['seq']);
      const { through } = value;
      if (value['type'] === 'retired' && typeof through === 'number') {
        this.#retiredThrough = Math.max(this.#retiredThrough, through);
      }
    } else {
      this.#fault(`a line of type ${JSON.stringify(value['type'])} has no place here`);
    }
  }

  #checkRecord(seq: number): void {
    if (seq !== this.#seq) this.#fault(`record ${seq} stands where record ${this.#seq} was due`);
    this.#seq = (Number.isSafeInteger(seq) ? seq : this.#seq) + 1;
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
      if (!startsWith(octets, next, TYPE_PREFIX) || isNote(octets, next)) seq++;
      const newline = octets.indexOf(NEWLINE, next);
      next = newline < 0 ? octets.length : newline + 1;
      lines++;
      if (lines % LEAF_LINES !== 0 && next < Math.min(end, octets.length)) continue;
      const hash = sha256(LEAF, octets.subarray(leafAt, next)).toString('hex');
      if (hash !== listed[index] && !reported) {
        reported = true;
        const records = seq > from ? `records ${from} to ${seq - 1}` : 'no records';
        const what = `octets ${leafAt} to ${next - 1} (${records}) are not what was written: their hash is not the one listed`;
        this.#fault(what, leafAt, leafLine, file);
      }
      this.#options.onLeaf?.(this.worker, {
        index: this.#roots.size + index,
        hash,
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
    const { root, key, next, worker, others } = value;
    if (worker !== this.worker) this.#fault('the checkpoint is of another worker');
    const actual = this.#roots.root();
    if (root !== actual) this.#fault(`the root should be ${JSON.stringify(root)} here and is ${actual}`);
    this.#rootAt.set(this.#roots.size, actual);
    this.#lastCheckpoint = { size: this.#roots.size, root: actual };
    const [, signed, signature] = SIGNED.exec(text) ?? [];
    if (signed === undefined || signature === undefined || typeof key !== 'string') {
      this.#fault('the checkpoint is not signed');
    } else {
      this.#takeKey(key, 'the checkpoint');
      if (isSigned(signed, signature, key)) this.#lastSigned = this.#seq - 1;
      else this.#fault('the signature of the checkpoint does not hold');
    }
    if (typeof next === 'string') this.#next = next;
    if (!Array.isArray(others)) return;
    const place = { worker: this.worker, file: this.#file, offset: this.#at, line: this.#line };
    for (const other of others as unknown[]) {
      const { worker: name, size, root: said } = (other ?? {}) as Record<string, unknown>;
      if (typeof name === 'number' && typeof size === 'number' && typeof said === 'string') {
        this.mentions.push({ worker: name, size, root: said, place });
      }
    }
  }

  /** The key in charge after the announcements in `w….keys` that begin with `key`, but not past `wanted`. */
  #keyAfter(key: string, wanted: string): string {
    if (key === wanted) return key;
    let text = '';
    try {
      text = readFileSync(join(this.#directory, `w${this.worker}.keys`), 'utf8');
    } catch {
      // There is none; then nothing leads on from the key.
    }
    let current = key;
    for (const line of text.split('\n')) {
      const { key: by, next } = parse(line) ?? {};
      const [, signed, signature] = SIGNED.exec(line) ?? [];
      if (by !== current || typeof next !== 'string' || signed === undefined || signature === undefined)
        continue;
      if (isSigned(signed, signature, current)) current = next;
      if (current === wanted) break;
    }
    return current;
  }

  /** A key may sign when it is the one in charge, or the one that the key in charge has announced. */
  #takeKey(key: string, who: string): void {
    if (key === this.#key) return;
    // The announcement may lie in a segment that was retired; it is kept in the .keys file then.
    if (key !== this.#next && this.#keyAfter(this.#key, key) !== key) {
      this.#fault(`${who} names the key ${key}, which no checkpoint has announced`);
    }
    this.#key = key;
    this.#next = null;
  }

  /** After the last segment: what is left in the open block, and claims that nothing in the log answers. */
  end(): void {
    const last = this.#last;
    const first = this.#retiredBefore;
    if (first !== null && first.number - 1 > this.#retiredThrough) {
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
      const open = this.#seq - 1 - this.#lastSigned;
      if (open > 0)
        this.#remarks.push(`worker ${this.worker}: no checkpoint covers the last ${open} records yet`);
    }
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
      records: this.#segments === 0 ? 0 : this.#seq - this.#firstRecord,
      firstRecord: this.#firstRecord,
      lastRecord: this.#seq - 1,
      lastSigned: this.#lastSigned,
      checkpoints: this.#checkpoints,
      lastCheckpoint: this.#lastCheckpoint,
      leaves: this.#roots.size,
      root: this.#roots.root(),
      firstKey: this.#firstKey,
      lastKey: this.#key,
    };
  }
}

const isHashes = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((hash) => typeof hash === 'string' && HASH.test(hash));

function startsWith(octets: Buffer, at: number, prefix: Buffer): boolean {
  return (
    octets.length >= at + prefix.length &&
    octets.compare(prefix, 0, prefix.length, at, at + prefix.length) === 0
  );
}

/** Whether the line at `at`, which begins with its type, is a record of the log about itself. */
function isNote(octets: Buffer, at: number): boolean {
  const type = octets.toString('latin1', at + TYPE_PREFIX.length, at + TYPE_PREFIX.length + 10);
  return !/^(segment|block|checkpoint)/.test(type);
}

/** A number in decimal as the writer writes it; NaN for anything else. */
function readNumber(octets: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + 17; i++) {
    const digit = octets[i] - 48;
    if (!(digit >= 0 && digit <= 9)) return i > at && octets[i] === 0x2c ? value : Number.NaN;
    value = value * 10 + digit;
  }
  return Number.NaN;
}

/** The fixed octets before an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410 section 4). */
const KEY_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

function isSigned(text: string, signature: string, key: string): boolean {
  try {
    const publicKey = createPublicKey({
      key: Buffer.concat([KEY_PREFIX, Buffer.from(key, 'hex')]),
      format: 'der',
      type: 'spki',
    });
    return verifySignature(null, Buffer.from(CONTEXT + text), publicKey, Buffer.from(signature, 'hex'));
  } catch {
    return false;
  }
}
