/**
 * What the log says of a period, gathered while it is read once. Records before the period are read for one thing only:
 * which destinations had been seen by then.
 */
import type { AuditRecord, Found } from '../audit/index.ts';
import { BoundedTable, Counts } from './bounded-table.ts';
import { registrable } from './registrable.ts';

/** Most rows kept while reading; a row takes about half a kilobyte. */
const ROWS_MAX = 50_000;
/** Destinations remembered from before the period; beyond it some are listed as new that are not. */
const KNOWN_MAX = 500_000;
/** Notes of the log about itself that are kept as they stand. */
const NOTES_MAX = 1000;
/** Names shown as examples of a destination. */
const NAMES_MAX = 3;
/** Lines of evidence kept of one alarm. */
const EVIDENCE_MAX = 8;
/** Names whose registrable part is remembered, because most queries are for few names. */
const PARTS_MAX = 10_000;

interface Span {
  queries: number;
  first: string;
  last: string;
}

export interface RuleUse extends Span {
  readonly rule: string;
  /** As it stood in the rule when the query was recorded. */
  readonly reason: string;
  /** Queries denied because the rule had ended. */
  afterEnd: number;
}

export interface Destination extends Span {
  readonly domain: string;
  /** Of all, those that a group that only observes got answered. */
  observed: number;
  readonly groups: Counts;
  readonly causes: Counts;
  readonly names: string[];
}

export interface Alarm extends Span {
  readonly domain: string;
  readonly group: string;
  readonly client: string;
  denied: number;
  evidence: readonly string[];
  /** Where the first of them stands in the log. */
  readonly worker: number;
  readonly seq: number;
}

export interface FirstSeen extends Span {
  readonly domain: string;
  readonly groups: Counts;
  readonly rules: Counts;
}

export interface Refusal extends Span {
  readonly verdict: string;
  readonly cause: string;
}

export interface NoteRow {
  readonly worker: number;
  readonly seq: number;
  readonly time: string;
  readonly type: string;
  readonly members: string;
}

/** Verdicts and causes under which a query has left for an upstream. */
const hasLeft = ({ verdict, cause }: AuditRecord): boolean =>
  verdict === 'allow' ||
  verdict === 'observe' ||
  cause === 'answer' ||
  (verdict === 'fail' && (cause === 'timeout' || cause === 'unreachable' || cause === 'unusable'));

/** Denied, or would have been. A group may have its denials dropped; what a limit drops is no denial. */
const isDenied = ({ verdict, cause }: AuditRecord): boolean =>
  verdict === 'deny' || verdict === 'observe' || (verdict === 'drop' && cause !== 'limit');

export class Activity {
  queries = 0;
  /** First and last record of the period, and first of all that was read. */
  first = '';
  last = '';
  historyFirst = '';
  denials = 0;
  observed = 0;
  alarmQueries = 0;
  /** Queries that were refused, or answered without a record: from the notes. */
  refusedWithoutRecord = 0;
  lostRecords = 0;
  notesOmitted = 0;
  /** Destinations from before the period that could not be remembered. */
  historyOmitted = 0;
  readonly verdicts = new Counts();
  readonly noteTypes = new Counts();
  readonly uses = new BoundedTable<RuleUse>(ROWS_MAX);
  readonly denied = new BoundedTable<Destination>(ROWS_MAX);
  readonly alarms = new BoundedTable<Alarm>(ROWS_MAX);
  readonly firstSeen = new BoundedTable<FirstSeen>(ROWS_MAX);
  readonly refusals = new BoundedTable<Refusal>(1000);
  readonly notes: NoteRow[] = [];
  readonly #known = new Set<string>();
  readonly #parts = new Map<string, string>();
  readonly #from: string;

  constructor(fromMs: number) {
    this.#from = new Date(fromMs).toISOString();
  }

  /** The next record; they come in the order of time, and end where the period does. */
  add(found: Found): void {
    const { record } = found;
    if (this.historyFirst === '') this.historyFirst = record.time;
    // Both are ISO 8601 in UTC with milliseconds: the order of texts is that of times.
    if (record.time < this.#from) return this.#remember(record);
    if (this.first === '') this.first = record.time;
    this.last = record.time;
    if (record.type !== undefined) return this.#note(found, record.type);
    this.#query(found);
  }

  #remember(record: AuditRecord): void {
    if (record.type !== undefined || record.qname === undefined || !hasLeft(record)) return;
    const domain = this.#part(record.qname);
    if (this.#known.has(domain)) return;
    if (this.#known.size < KNOWN_MAX) this.#known.add(domain);
    else this.historyOmitted++;
  }

  #query({ worker, record }: Found): void {
    this.queries++;
    this.verdicts.add(record.verdict ?? '-');
    if (record.rule !== undefined) this.#use(record, record.rule);
    if (record.verdict === 'refuse' || record.verdict === 'fail' || record.cause === 'limit') {
      const { verdict = '-', cause = '-', time } = record;
      const span = { queries: 0, first: time, last: time };
      count(
        this.refusals.row(`${verdict}\0${cause}`, () => ({ verdict, cause, ...span })),
        record,
      );
    }
    const domain = record.qname === undefined ? '(unreadable)' : this.#part(record.qname);
    if (isDenied(record)) this.#deny(record, domain);
    if (record.cause === 'tunnel') this.#alarm(record, domain, worker);
    if (record.qname !== undefined && hasLeft(record)) this.#see(record, domain);
  }

  /** Counts what a rule decided: it allowed, it denied, or it could not allow because it had ended. */
  #use(record: AuditRecord, rule: string): void {
    const { reason = '', time, cause, verdict } = record;
    if (verdict !== 'allow' && cause !== 'denied' && cause !== 'expired') return;
    const span = { queries: 0, first: time, last: time };
    const use = this.uses.row(`${rule}\0${reason}`, () => ({ rule, reason, afterEnd: 0, ...span }));
    // A rule that has ended decides nothing; that it is still asked for shows who should have it renewed.
    if (use !== null && cause === 'expired') use.afterEnd++;
    else count(use, record);
  }

  #deny(record: AuditRecord, domain: string): void {
    const isObserved = record.verdict === 'observe';
    if (isObserved) this.observed++;
    else this.denials++;
    const row = this.denied.row(domain, () => ({
      domain,
      queries: 0,
      first: record.time,
      last: record.time,
      observed: 0,
      groups: new Counts(),
      causes: new Counts(),
      names: [],
    }));
    if (row === null) return;
    count(row, record);
    if (isObserved) row.observed++;
    row.groups.add(record.group ?? '-');
    row.causes.add(record.cause ?? '-');
    const name = record.qname ?? '';
    if (name !== '' && row.names.length < NAMES_MAX && !row.names.includes(name)) row.names.push(name);
  }

  #alarm(record: AuditRecord, domain: string, worker: number): void {
    this.alarmQueries++;
    const { group = '-', client = '-', time, seq } = record;
    const row = this.alarms.row(`${group}\0${client}\0${domain}`, () => ({
      domain,
      group,
      client,
      queries: 0,
      first: time,
      last: time,
      denied: 0,
      evidence: [],
      worker,
      seq,
    }));
    if (row === null) return;
    count(row, record);
    if (record.verdict !== 'observe') row.denied++;
    if (row.evidence.length === 0) row.evidence = (record.evidence ?? []).slice(0, EVIDENCE_MAX);
  }

  #see(record: AuditRecord, domain: string): void {
    if (this.#known.has(domain)) return;
    const row = this.firstSeen.row(domain, () => ({
      domain,
      queries: 0,
      first: record.time,
      last: record.time,
      groups: new Counts(),
      rules: new Counts(),
    }));
    if (row === null) return;
    count(row, record);
    row.groups.add(record.group ?? '-');
    row.rules.add(record.rule ?? '(no rule)');
  }

  #note({ worker, record }: Found, type: string): void {
    const { seq, time, up: _up, type: _type, ...members } = record as AuditRecord & Record<string, unknown>;
    const { refused, lost } = members as { readonly refused?: number; readonly lost?: number };
    this.refusedWithoutRecord += refused ?? 0;
    this.lostRecords += lost ?? 0;
    this.noteTypes.add(type);
    if (this.notes.length >= NOTES_MAX) {
      this.notesOmitted++;
      return;
    }
    const text = Object.entries(members).map(([key, value]) => `${key} ${wordOf(value)}`);
    this.notes.push({ worker, seq, time, type, members: text.join(', ') });
  }

  #part(qname: string): string {
    let part = this.#parts.get(qname);
    if (part === undefined) {
      part = registrable(qname);
      if (this.#parts.size >= PARTS_MAX) this.#parts.clear();
      this.#parts.set(qname, part);
    }
    return part;
  }
}

function count(row: Span | null, record: AuditRecord): void {
  if (row === null) return;
  if (row.queries === 0) row.first = record.time;
  row.queries++;
  row.last = record.time;
}

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
