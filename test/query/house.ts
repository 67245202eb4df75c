/**
 * The path without sockets and without sleeping: datagrams, upstream replies and the clock are handed in, entries and
 * responses are looked at.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  AuditCounters,
  AuditLog,
  DetailFields,
  Entry,
  LineText,
  OutcomeFields,
} from '../../src/audit/index.ts';
import { lineTextOf } from '../../src/audit/line-text.ts';
import { ResponseCache } from '../../src/cache/index.ts';
import { type ReadMessage, readMessage } from '../../src/cli/read-message.ts';
import { loadSettings } from '../../src/config/index.ts';
import { createCounters, openCounters } from '../../src/metrics/index.ts';
import { DATAGRAM_CAPACITY, type Datagram, type DatagramSocket, PrefixSet } from '../../src/net/index.ts';
import { loadPolicy } from '../../src/policy-loading.ts';
import type { ForwarderOptions } from '../../src/query/forwarded-client.ts';
import {
  type Asker,
  type Detector,
  NO_DETECTOR,
  type PathLimits,
  QueryPath,
  type RateLimit,
  Site,
  type UpstreamFailure,
} from '../../src/query/index.ts';
import { watchSecrets } from '../../src/secrets.ts';
import type { UpstreamQuestion } from '../../src/upstream/contract.ts';
import { nameOctets, nameText, putU16, rcodeName, typeName, typeOf } from '../../src/wire/index.ts';

const SEED = 0x5a11;
const EMPTY = Buffer.from('{}');

/** An entry as it would stand in the audit. */
/** A text that stands in words, the first of which is its length in octets. */
const textOf = (words: LineText, at: number): string =>
  Buffer.from(words.buffer, words.byteOffset + (at + 1) * 8, words[at]).toString('utf8');

export interface HeardEntry extends Partial<OutcomeFields>, DetailFields {
  readonly qname: string | null;
  readonly qtype: string;
  readonly rcode: string | null;
  readonly cached: boolean;
  readonly client: string;
  readonly secrets?: readonly string[];
}

export interface Asked {
  readonly name: string;
  readonly type: string;
  readonly pool: string;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly deadlineMs: number;
  /** Whether somebody still waits for it. */
  isWanted(): boolean;
  /** The upstream answers with these records, in master-file-like form, or with this message. */
  answer(reply: ReplyText | Uint8Array): void;
  fail(failure: UpstreamFailure): void;
}

export interface ReplyText {
  readonly rcode?: number;
  /** `name ttl type rdata`, rdata for A, AAAA, CNAME, SOA (minimum only), TXT. */
  readonly answer?: readonly string[];
  readonly authority?: readonly string[];
  readonly trusted?: boolean;
  readonly ad?: boolean;
}

/** Keeps entries as objects; `broken` makes every commit fail, as a full disk does. */
class MemoryAudit implements AuditLog {
  readonly entries: HeardEntry[] = [];
  readonly counters: AuditCounters = {
    entries: 0,
    octets: 0,
    commits: 0,
    failures: 0,
    refused: 0,
    lost: 0,
    rotations: 0,
  };
  broken = false;
  #open: HeardEntry[] = [];

  get healthy(): boolean {
    return !this.broken;
  }

  renderOutcome(fields: OutcomeFields): Uint8Array {
    return Buffer.from(JSON.stringify(fields));
  }

  renderDetail({ addresses, ...fields }: DetailFields): Uint8Array {
    if (addresses === undefined) return Buffer.from(JSON.stringify(fields));
    const { octets, at, stride, count } = addresses;
    const answers = Array.from({ length: count }, (_, i) => {
      const from = at + i * stride;
      return `A ${octets.subarray(from, from + 4).join('.')}`;
    });
    return Buffer.from(JSON.stringify({ ...fields, answers }));
  }

  renderTail(entry: Entry): LineText {
    return lineTextOf(Buffer.from(JSON.stringify(this.#render(entry))));
  }

  note(): boolean {
    return true;
  }

  append(entry: Entry): void {
    this.#open.push(
      entry.tail === null
        ? this.#render(entry)
        : {
            ...this.#render({ ...entry, nameLength: 0, outcome: EMPTY, detail: null }),
            ...JSON.parse(textOf(entry.tail, entry.tailAt)),
            rcode: entry.rcode === -1 ? null : rcodeName(entry.rcode),
            cached: entry.cached,
          },
    );
  }

  #render(entry: Entry): HeardEntry {
    const parse = (octets: Uint8Array | null): object =>
      octets === null ? {} : JSON.parse(Buffer.from(octets).toString('utf8'));
    return {
      ...parse(entry.outcome),
      ...parse(entry.detail),
      ...(entry.redaction === null ? {} : parse(asObject(entry.redaction.members))),
      qname: entry.nameLength === 0 ? null : qnameOf(entry),
      qtype: typeName(entry.qtype),
      rcode: entry.rcode === -1 ? null : rcodeName(entry.rcode),
      cached: entry.cached,
      client: Array.from(entry.client.subarray(0, entry.clientLength)).join('.'),
    };
  }

  commit(then: (kept: boolean) => void): void {
    if (!this.broken) this.entries.push(...this.#open);
    this.#open = [];
    then(!this.broken);
  }

  async close(): Promise<void> {}
}

class MemorySocket implements DatagramSocket {
  readonly engine = 'portable';
  readonly local = { address: '192.0.2.53', port: 53 };
  readonly counters = { batches: 0, received: 0, sent: 0, noSlot: 0, unsent: 0 };
  readonly sent: Buffer[] = [];
  readonly free: Datagram[] = [];
  #queued: Datagram[] = [];

  constructor(slots: number) {
    for (let slot = 0; slot < slots; slot++) {
      this.free.push({
        slot,
        octets: new Uint8Array(DATAGRAM_CAPACITY),
        length: 0,
        truncated: false,
        peer: new Uint8Array(16),
        peerLength: 4,
        peerPort: 5353,
      });
    }
  }

  get freeSlots(): number {
    return this.free.length;
  }

  reply(datagram: Datagram): void {
    this.#queued.push(datagram);
  }

  release(datagram: Datagram): void {
    this.free.push(datagram);
  }

  flush(): void {
    for (const datagram of this.#queued) {
      this.sent.push(Buffer.from(datagram.octets.subarray(0, datagram.length)));
      this.free.push(datagram);
    }
    this.#queued = [];
  }

  async close(): Promise<void> {}
}

export interface QueryText {
  readonly type?: string | number;
  readonly from?: string;
  readonly id?: number;
  /** UDP size of the EDNS record; null: no EDNS. */
  readonly edns?: number | null;
  readonly dnssecOk?: boolean;
  readonly rd?: boolean;
  readonly cd?: boolean;
  readonly ad?: boolean;
  readonly qclass?: number;
  readonly opcode?: number;
  readonly version?: number;
  /** Options of the OPT record, whole. */
  readonly options?: Uint8Array;
}

/** A query as octets. The name keeps its case. */
export function queryOctets(name: string, text: QueryText = {}): Uint8Array {
  const canonical = nameOctets(name);
  const octets = new Uint8Array(600);
  putU16(octets, 0, text.id ?? 0x1234);
  octets[2] = ((text.opcode ?? 0) << 3) | (text.rd === false ? 0 : 1);
  octets[3] = (text.cd ? 0x10 : 0) | (text.ad ? 0x20 : 0);
  putU16(octets, 4, 1);
  let at = 12;
  octets.set(canonical, at);
  // Case as written: dots and letters stand at the same places in text and octets.
  for (let i = 0; i < name.length; i++) {
    if (/[A-Z]/.test(name[i])) octets[at + 1 + i] = name.charCodeAt(i);
  }
  at += canonical.length;
  const type = typeof text.type === 'number' ? text.type : typeOf(text.type ?? 'A');
  at = putU16(octets, at, type ?? 1);
  at = putU16(octets, at, text.qclass ?? 1);
  if (text.edns !== null) {
    putU16(octets, 10, 1);
    const options = text.options ?? new Uint8Array(0);
    at = putU16(octets, at + 1, 41);
    at = putU16(octets, at, text.edns ?? 1232);
    octets[at + 1] = text.version ?? 0;
    octets[at + 2] = text.dnssecOk ? 0x80 : 0;
    at = putU16(octets, at + 4, options.length);
    octets.set(options, at);
    at += options.length;
  }
  return octets.slice(0, at);
}

function rdataOf(type: string, text: string): Uint8Array {
  switch (type) {
    case 'A':
      return Uint8Array.from(text.split('.').map(Number));
    case 'AAAA':
      return new Uint8Array(16).fill(Number(text) || 0);
    case 'TXT':
      return Uint8Array.from([text.length, ...Buffer.from(text)]);
    case 'SOA': {
      const rdata = new Uint8Array(22);
      new DataView(rdata.buffer).setUint32(18, Number(text));
      return rdata;
    }
    default:
      return nameOctets(text);
  }
}

/** A reply to this question as octets; names are written uncompressed. */
export function replyOctets(name: string, type: string, reply: ReplyText): Uint8Array {
  const record = (line: string): Uint8Array => {
    const [owner, ttl, rrtype, ...rest] = line.split(' ');
    const rdata = rdataOf(rrtype, rest.join(' '));
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(typeOf(rrtype) ?? 0, 0);
    fixed.writeUInt16BE(1, 2);
    fixed.writeUInt32BE(Number(ttl), 4);
    fixed.writeUInt16BE(rdata.length, 8);
    return Buffer.concat([nameOctets(owner), fixed, rdata]);
  };
  const header = Buffer.alloc(12);
  header[2] = 0x81;
  header[3] = 0x80 | (reply.ad ? 0x20 : 0) | ((reply.rcode ?? 0) & 15);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(reply.answer?.length ?? 0, 6);
  header.writeUInt16BE(reply.authority?.length ?? 0, 8);
  const question = Buffer.alloc(4);
  question.writeUInt16BE(typeOf(type) ?? 0, 0);
  question.writeUInt16BE(1, 2);
  return Buffer.concat([
    header,
    nameOctets(name),
    question,
    ...(reply.answer ?? []).map(record),
    ...(reply.authority ?? []).map(record),
  ]);
}

const asObject = (members: Uint8Array): Uint8Array =>
  Buffer.from(`{${Buffer.from(members).toString('utf8').slice(1)}}`);

const qnameOf = ({ name, redaction }: Entry): string =>
  redaction?.qname == null
    ? nameText(name)
    : (JSON.parse(`"${Buffer.from(redaction.qname).toString('utf8')}"`) as string);

export interface HouseOptions {
  readonly limits?: Partial<PathLimits>;
  readonly detector?: Detector;
  readonly rateLimit?: RateLimit;
  readonly slots?: number;
  /** Prefixes of load balancers that put a PROXY header before every datagram. */
  readonly proxies?: readonly string[];
  readonly forwarders?: ForwarderOptions;
  readonly startMs?: number;
  readonly secrets?: { readonly redacts?: boolean; readonly block?: boolean };
}

export class House {
  readonly audit = new MemoryAudit();
  readonly asked: Asked[] = [];
  readonly socket: MemorySocket;
  readonly counters = openCounters(createCounters());
  readonly cache = new ResponseCache(8 << 20);
  readonly bugs: unknown[] = [];
  /** What the log was told of secrets. */
  readonly told: object[] = [];
  readonly path: QueryPath;
  nowMs = 1000;
  wallMs: number;
  readonly #intake: ReturnType<QueryPath['openIntake']>;
  readonly #views = new Map<string, number>();
  #generation = 0;
  readonly #limits: PathLimits;
  readonly #denySecrets: boolean;

  constructor(policy: string, options: HouseOptions = {}) {
    this.wallMs = options.startMs ?? Date.parse('2026-11-21T12:00:00Z');
    this.#denySecrets = options.secrets?.block ?? false;
    this.#limits = {
      udpSize: 1232,
      pendingPerClient: 200,
      pendingPerProvenClient: 2000,
      pendingPerForwarder: 4000,
      flightsPerDomain: 500,
      clientDeadlineMs: 3800,
      aliasRestarts: 11,
      flights: 1000,
      failureTtlSeconds: 5,
      prefetch: null,
      staleSeconds: 0,
      staleAfterMs: 1800,
      ttlMinSeconds: 0,
      ttlMinStrictSeconds: 60,
      defaultProfile: 'default',
      ttlMaxSeconds: 86_400,
      negativeTtlMaxSeconds: 3600,
      ...options.limits,
    };
    this.socket = new MemorySocket(options.slots ?? 256);
    this.path = new QueryPath({
      site: this.#siteOf(policy),
      audit: this.audit,
      cache: this.cache,
      counters: this.counters,
      upstreams: { pool: (name) => this.#pool(name), flush: () => undefined },
      detector: options.detector ?? NO_DETECTOR,
      secrets: watchSecrets({
        tells: true,
        redacts: options.secrets?.redacts ?? true,
        key: new Uint8Array(32).fill(9),
        clients: { mode: 'keep' },
        counters: this.counters,
        log: (fields) => this.told.push(fields),
      }),
      clock: { nowMs: () => this.nowMs, wallMs: () => this.wallMs },
      limits: this.#limits,
      forwarders: options.forwarders ?? null,
      proxies: options.proxies === undefined ? null : new PrefixSet(options.proxies),
      rateLimit: options.rateLimit ?? null,
      hashSeed: SEED,
      cookieSecret: new Uint8Array(16).fill(7),
      onBug: (error) => this.bugs.push(error),
    });
    this.#intake = this.path.openIntake();
    this.#intake.socket = this.socket;
  }

  reload(policy: string): void {
    this.path.replaceSite(this.#siteOf(policy));
  }

  /** Time passes, and the path's timer with it. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.wallMs += ms;
    this.path.tick();
  }

  /** Hands datagrams in as one batch and returns what was sent during it. */
  receive(
    ...messages: {
      readonly octets: Uint8Array;
      readonly from?: string;
      readonly port?: number;
      readonly truncated?: boolean;
    }[]
  ): Buffer[] {
    const before = this.socket.sent.length;
    const batch: Datagram[] = [];
    for (const { octets, from, port, truncated } of messages) {
      const datagram = this.socket.free.pop();
      if (datagram === undefined) throw new Error('the house has no free slot');
      datagram.octets.set(octets);
      datagram.length = octets.length;
      datagram.truncated = truncated ?? false;
      datagram.peer.set((from ?? '192.0.2.7').split('.').map(Number));
      datagram.peerPort = port ?? 5353;
      batch.push(datagram);
    }
    this.#intake.onBatch(batch, batch.length);
    return this.socket.sent.slice(before);
  }

  /** Asks; the response when it came at once, else null. */
  ask(name: string, text: QueryText = {}): ReadMessage | null {
    const [sent] = this.receive({
      octets: queryOctets(name, text),
      ...(text.from ? { from: text.from } : {}),
    });
    return sent === undefined ? null : read(sent);
  }

  /** Responses sent since the last call. */
  async heard(): Promise<ReadMessage[]> {
    await Promise.resolve();
    await Promise.resolve();
    return this.socket.sent.splice(0).map(read);
  }

  get lastEntry(): HeardEntry {
    const entry = this.audit.entries.at(-1);
    if (entry === undefined) throw new Error('nothing was recorded');
    return entry;
  }

  #siteOf(policy: string): Site {
    const directory = mkdtempSync(join(tmpdir(), 'sallyport-'));
    try {
      const file = join(directory, 'policy.yaml');
      writeFileSync(file, policy);
      const loaded = loadSettings({
        env: {},
        file: undefined,
        overrides: {
          policies: [file],
          'upstreams.default.servers': ['192.0.2.1'],
          'upstreams.vpc.servers': ['192.0.2.2'],
        },
      });
      if (!('settings' in loaded)) throw new Error(JSON.stringify(loaded.faults));
      const compiled = loadPolicy(loaded.settings, {
        hashSeed: SEED,
        generation: ++this.#generation,
        nowMs: this.wallMs,
      });
      if (!('compiled' in compiled)) throw new Error(JSON.stringify(compiled.faults, null, 1));
      const viewOf = (group: string): number => {
        const view = this.#views.get(group) ?? this.#views.size;
        this.#views.set(group, view);
        return view;
      };
      const limits = {
        clientDeadlineMs: this.#limits.clientDeadlineMs,
        forwarderDeadlineMs: 1800,
        tunnels: {
          default: { action: 'block' as const, holdSeconds: 86_400, namesPerMinute: 6 },
          strict: { action: 'block' as const, holdSeconds: 86_400, namesPerMinute: 6 },
        },
        defaultProfile: 'default' as const,
        denySecrets: this.#denySecrets,
      };
      return new Site(compiled.policy, viewOf, limits, this.audit);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  #pool(pool: string) {
    return {
      name: pool,
      ask: (question: UpstreamQuestion, deadlineMs: number, asker: Asker): void => {
        const name = nameText(question.name);
        const type = typeName(question.type);
        this.asked.push({
          name,
          type,
          pool,
          dnssecOk: question.dnssecOk,
          checkingDisabled: question.checkingDisabled,
          deadlineMs,
          isWanted: () => asker.isWanted ?? true,
          answer: (reply) => {
            const octets = reply instanceof Uint8Array ? reply : replyOctets(name, type, reply);
            const trusted = !(reply instanceof Uint8Array) && (reply.trusted ?? false);
            // A pool of one server: there is no other to ask.
            if (!asker.answered(octets, octets.length, `${pool}-server`, trusted))
              asker.failed('unusable', `${pool}-server`);
          },
          fail: (failure) => asker.failed(failure, `${pool}-server`),
        });
      },
    };
  }
}

function read(octets: Uint8Array): ReadMessage {
  const message = readMessage(octets);
  if (typeof message === 'string') throw new Error(`a response cannot be read: ${message}`);
  return message;
}
