/**
 * Reading a log: records that pass a filter, of all workers, in the order of time; open and compressed segments alike.
 *
 * A rare name is found without looking at most lines: the rarest text that must stand in a line is searched for in
 * the whole segment at once, and only lines that hold it are parsed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decompress } from './compress.ts';
import { jsonText } from './json-text.ts';
import { mayHold } from './name-index.ts';
import { readSegmentName, type SegmentName } from './segment.ts';
import { type Unsealer, unsealSegment } from './unseal.ts';

/** A record as it stands in the log: see docs/audit.md for every member. */
export interface AuditRecord {
  readonly seq: number;
  readonly time: string;
  readonly up: number;
  /** Absent for a query; `gap`, `stopped`, `recovered`, … for what the log says of itself. */
  readonly type?: string;
  readonly us?: number;
  readonly via?: string;
  readonly client?: string;
  readonly port?: number;
  readonly id?: number;
  readonly cached?: boolean;
  readonly rcode?: string | null;
  readonly size?: number;
  readonly qname?: string;
  readonly qtype?: string;
  readonly qclass?: string;
  readonly group?: string;
  readonly verdict?: string;
  readonly cause?: string;
  readonly rule?: string;
  readonly reason?: string;
  readonly ede?: number;
  readonly observed?: boolean;
  readonly answers?: readonly string[];
  readonly upstream?: string;
  readonly upstreamRcode?: string;
  readonly evidence?: readonly string[];
  /** Kinds of what the name gives away. */
  readonly secrets?: readonly string[];
  /** What the record said was erased on request; number and time are left. */
  readonly erased?: true;
  /** Of records about verdicts and events. */
  readonly domain?: string;
}

export interface Found {
  readonly worker: number;
  readonly record: AuditRecord;
  /** The line as it stands, without its newline. */
  readonly line: string;
}

/** All that is given must hold. */
export interface Filter {
  /** `example.com` is that name, `*.example.com` what is below it, `+.example.com` both. */
  readonly name?: string;
  /** As it stands in the log; of several, any of them. */
  readonly client?: string | readonly string[];
  readonly group?: string;
  readonly verdict?: string;
  readonly rule?: string;
  readonly qtype?: string;
  readonly rcode?: string;
  /** A kind (`card`), a mark (`(secret:card:1a2b3c4d)`) or its eight digits. */
  readonly secret?: string;
  /** Milliseconds since 1970: not before, and before. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  /** Only records of the log about itself of this `type`; `name` is then their `domain`. */
  readonly kind?: string;
  /** Records of the log about itself as well (default: queries only), or these alone. */
  readonly notes?: 'also' | 'only';
}

/** Of a segment that lies there plain and compressed, as while it is compressed, the plain one alone. */
export function segmentNames(directory: string): SegmentName[] {
  const files = new Set(readdirSync(directory));
  return [...files]
    .map(readSegmentName)
    .filter((name) => name !== null)
    .filter(({ file, compressed }) => !compressed || !files.has(plainFile(file)))
    .sort((left, right) => left.worker - right.worker || left.number - right.number);
}

/** Name of a segment's file before it was compressed. */
export const plainFile = (file: string): string => file.replace(/\.(gz|zst)$/, '');

/**
 * The octets of a segment as they were written, though it was compressed since its name was read; see `unsealSegment` for
 * those of encrypted ones. Throws what the file system says, or in words.
 */
export function readSegment(directory: string, name: SegmentName): Buffer {
  const plain = plainFile(name.file);
  const forms = [name.file, plain, `${plain}.gz`, `${plain}.zst`];
  for (let i = 0; ; i++) {
    try {
      return decompress(forms[i], readFileSync(join(directory, forms[i])));
    } catch (error) {
      if (!isGone(error)) throw error;
      if (i + 1 === forms.length) throw Object.assign(error as Error, { path: join(directory, name.file) });
    }
  }
}

/** Whether an error says that a file is not there: retention deletes segments while others are read. */
export const isGone = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/**
 * Records that pass, in the order of their times. `onSegment` is called before each file is read; what retention deletes
 * meanwhile is left out. Encrypted ones are opened
 * with `unsealer`; throws Sealed, in words, where that is not possible.
 */
export function* readRecords(
  directory: string,
  filter: Filter,
  onSegment: (file: string) => void = () => {},
  unsealer: Unsealer | null = null,
): Generator<Found> {
  const names = segmentNames(directory);
  const workers = [...new Set(names.map((name) => name.worker))];
  const readers = workers.map((worker) =>
    readWorker(
      directory,
      names.filter((name) => name.worker === worker),
      filter,
      onSegment,
      unsealer,
    ),
  );
  const heads = readers.map((reader) => reader.next());
  for (;;) {
    let first = -1;
    for (let i = 0; i < heads.length; i++) {
      const head = heads[i];
      if (head.done) continue;
      if (first < 0 || head.value.record.time < (heads[first].value as Found).record.time) first = i;
    }
    if (first < 0) return;
    yield heads[first].value as Found;
    heads[first] = readers[first].next();
  }
}

function* readWorker(
  directory: string,
  names: readonly SegmentName[],
  filter: Filter,
  onSegment: (file: string) => void,
  unsealer: Unsealer | null,
): Generator<Found, void> {
  const keys = indexKeys(filter);
  for (let i = 0; i < names.length; i++) {
    // A segment ends when the next one begins; a minute is left for clocks and for queries that took their time.
    const endMs = i + 1 < names.length ? beganMs(names[i + 1]) + 60_000 : Number.POSITIVE_INFINITY;
    if (filter.sinceMs !== undefined && endMs < filter.sinceMs) continue;
    if (filter.untilMs !== undefined && beganMs(names[i]) - 60_000 > filter.untilMs) continue;
    onSegment(names[i].file);
    if (keys.length > 0 && !mayHold(directory, names[i], keys, unsealer)) continue;
    let octets: Buffer;
    try {
      octets = readSegment(directory, names[i]);
    } catch (error) {
      if (isGone(error)) continue;
      throw error;
    }
    yield* recordsIn(unsealSegment(names[i].file, octets, unsealer), names[i].worker, filter);
  }
}

/** What the index is asked for; nothing when it cannot help. */
function indexKeys({ name, notes, kind }: Filter): string[] {
  if (kind !== undefined) return [];
  if (name === undefined || notes !== undefined) return [];
  const plain = canonical(name.replace(/^[*+]\./, ''));
  if (name.startsWith('*.')) return [`.${plain}`];
  return name.startsWith('+.') ? [`=${plain}`, `.${plain}`] : [`=${plain}`];
}

/** When a segment was begun, from its name. */
export function beganMs({ file }: SegmentName): number {
  const [, date, time] = /-(\d{8})T(\d{9})Z/.exec(file) ?? [];
  if (date === undefined || time === undefined) return 0;
  return Date.UTC(
    Number(date.slice(0, 4)),
    Number(date.slice(4, 6)) - 1,
    Number(date.slice(6)),
    Number(time.slice(0, 2)),
    Number(time.slice(2, 4)),
    Number(time.slice(4, 6)),
    Number(time.slice(6)),
  );
}

const NEWLINE = 10;

/** Records of one segment that pass; a torn last line is left out. */
function* recordsIn(octets: Buffer, worker: number, filter: Filter): Generator<Found> {
  const needles = needlesOf(filter).map((text) => ({ text, at: -1 }));
  const passes = predicateOf(filter);
  for (let at = 0; at < octets.length; ) {
    if (needles.length > 0) {
      const hit = nextHit(octets, needles, at);
      if (hit === octets.length) return;
      at = octets.lastIndexOf(NEWLINE, hit) + 1;
    }
    const end = octets.indexOf(NEWLINE, at);
    if (end < 0) return;
    const found = parseLine(octets.toString('utf8', at, end), worker);
    if (found !== null && passes(found.record)) yield found;
    at = end + 1;
  }
}

/** A line as a record; null for lines of the log's structure and for what is no line of a log. */
export function parseLine(line: string, worker: number): Found | null {
  if (/^\{"type":"(?:segment|block|checkpoint)"/.test(line)) return null;
  try {
    const record = JSON.parse(line) as AuditRecord;
    return typeof record.seq === 'number' && typeof record.time === 'string'
      ? { worker, record, line }
      : null;
  } catch {
    return null;
  }
}

/** Where the first of the needles is met from `at` on; each remembers where it was found last. */
function nextHit(octets: Buffer, needles: { readonly text: Buffer; at: number }[], at: number): number {
  let first = octets.length;
  for (const needle of needles) {
    if (needle.at < at) {
      const hit = octets.indexOf(needle.text, at);
      needle.at = hit < 0 ? octets.length : hit;
    }
    first = Math.min(first, needle.at);
  }
  return first;
}

/** The texts most likely to be rare of which every passing line contains one; none: every line has to be looked at. */
function needlesOf({ name, client, rule, verdict, secret, notes, kind }: Filter): Buffer[] {
  if (kind !== undefined) return [Buffer.from(`{"type":${jsonText(kind)}`)];
  if (notes === 'only') return [Buffer.from('{"type":"')];
  if (notes === 'also') return [];
  if (name !== undefined) {
    const plain = canonical(name.replace(/^[*+]\./, ''));
    return [Buffer.from(`${name.startsWith('*.') ? '.' : ''}${jsonText(plain).slice(1)}`)];
  }
  if (secret !== undefined) return [Buffer.from(MARK_DIGITS.test(secret) ? secret : ',"secrets":[')];
  if (client !== undefined) return [client].flat().map((text) => Buffer.from(`"client":${jsonText(text)}`));
  if (rule !== undefined) return [Buffer.from(`"rule":${jsonText(rule)}`)];
  if (verdict !== undefined) return [Buffer.from(`"verdict":${jsonText(verdict)}`)];
  return [];
}

/** The keyed hash of a mark. */
const MARK_DIGITS = /^[0-9a-f]{8}$/;

/** Whether a record holds a secret of this kind, or with this mark: in its name, its answers, or what could not be read. */
function secretPredicate(secret: string | undefined): (record: AuditRecord) => boolean {
  if (secret === undefined) return () => true;
  const isDigits = MARK_DIGITS.test(secret);
  if (!isDigits && !secret.startsWith('(')) return (record) => record.secrets?.includes(secret) === true;
  const text = isDigits ? `:${secret})` : secret;
  return (record) => JSON.stringify(record).includes(text);
}

const canonical = (name: string): string => (name === '.' ? name : name.replace(/\.$/, '')).toLowerCase();

/** Whether a record passes. */
export function predicateOf(filter: Filter): (record: AuditRecord) => boolean {
  const { group, verdict, rule, sinceMs, untilMs, notes, kind } = filter;
  const clients = filter.client === undefined ? null : new Set([filter.client].flat());
  const isNamed = namePredicate(filter.name);
  const holdsSecret = secretPredicate(filter.secret);
  const qtype = filter.qtype?.toUpperCase();
  const rcode = filter.rcode?.toUpperCase();
  return (record) => {
    if (sinceMs !== undefined && Date.parse(record.time) < sinceMs) return false;
    if (untilMs !== undefined && Date.parse(record.time) >= untilMs) return false;
    if (kind !== undefined) {
      const isOfClient = clients === null || (record.client !== undefined && clients.has(record.client));
      return record.type === kind && isOfClient && (filter.name === undefined || isNamed(record.domain));
    }
    if (record.type !== undefined || record.erased === true) return notes !== undefined;
    return (
      notes !== 'only' &&
      isNamed(record.qname) &&
      (clients === null || (record.client !== undefined && clients.has(record.client))) &&
      (group === undefined || record.group === group) &&
      (verdict === undefined || record.verdict === verdict) &&
      (rule === undefined || record.rule === rule) &&
      (qtype === undefined || record.qtype === qtype) &&
      (rcode === undefined || record.rcode === rcode) &&
      holdsSecret(record)
    );
  };
}

function namePredicate(pattern: string | undefined): (qname: string | undefined) => boolean {
  if (pattern === undefined) return () => true;
  const name = canonical(pattern.replace(/^[*+]\./, ''));
  // A dot that is part of a label is written with a backslash before it, so this dot separates labels.
  const isBelow = (qname: string | undefined): boolean =>
    qname?.endsWith(`.${name}`) === true && !qname.endsWith(`\\.${name}`);
  if (pattern.startsWith('*.')) return isBelow;
  if (pattern.startsWith('+.')) return (qname) => qname === name || isBelow(qname);
  return (qname) => qname === name;
}
