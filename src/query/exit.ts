/**
 * The one way out of the path. A finished query has its response in its octets; here its entry is appended, and it waits
 * in the outbox until the entries of the batch are kept. Only then is it sent. When they cannot be kept, what was about to
 * be answered is refused instead (docs/design.md, promise 2).
 */
import type { AuditLog, Entry, LineText } from '../audit/index.ts';
import { At, type Counters } from '../metrics/index.ts';
import type { DatagramSocket } from '../net/index.ts';
import { HEADER_LENGTH, TC } from '../wire/index.ts';
import type { Clock, Finding, SecretWatch } from './contract.ts';
import type { Ending } from './outcome.ts';
import { type Query, TRANSPORT_NAMES } from './query.ts';
import { respondEmpty } from './respond.ts';

export class Exit {
  /** Wall clock of the turn, milliseconds since 1970: read once a batch. */
  wallMs = 0;
  readonly #audit: AuditLog;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #secrets: SecretWatch;
  /** Octets of responses to streams that wait for the end of the turn. */
  heldOctets = 0;
  readonly #entry: Entry;
  #outbox: Query[] = [];
  /** Arrays to be used again: in `strict` several batches wait for the disk at a time. */
  readonly #spare: Query[][] = [];
  readonly #touched: DatagramSocket[] = [];

  constructor(audit: AuditLog, counters: Counters, clock: Clock, secrets: SecretWatch) {
    this.#audit = audit;
    this.#secrets = secrets;
    this.#counters = counters;
    this.#clock = clock;
    this.#entry = {
      atMs: 0,
      latencyUs: 0,
      transport: 'udp',
      client: new Uint8Array(0),
      clientLength: 4,
      clientPort: 0,
      id: 0,
      rcode: 0,
      size: 0,
      cached: false,
      name: new Uint8Array(0),
      nameLength: 0,
      qtype: 0,
      qclass: 0,
      outcome: new Uint8Array(0),
      detail: null,
      tail: null,
      tailAt: 0,
      redaction: null,
    };
  }

  /**
   * Ends a query whose response is written (`query.rcode` −1: none is sent). `name` is canonical; `nameLength` 0 when
   * the query was unreadable.
   */
  finish(
    query: Query,
    ending: Ending,
    name: Uint8Array,
    nameLength: number,
    detail: Uint8Array | null,
    cached: boolean,
  ): void {
    const entry = this.#entry;
    entry.name = name;
    entry.nameLength = nameLength;
    entry.qtype = query.qtype;
    entry.qclass = query.qclass;
    entry.outcome = ending.audit;
    entry.detail = detail;
    entry.tail = null;
    // Here, so that no branch can forget it.
    const finding = this.examine(query, name, nameLength);
    entry.redaction = finding === null ? null : finding.redaction;
    if (finding !== null) this.#noteFinding(query, finding, ending);
    this.#append(query, ending, cached);
  }

  /** What the name of a query gives away: looked at once, and in the case in which it was asked. */
  examine(query: Query, name: Uint8Array, nameLength: number): Finding | null {
    if (query.finding !== undefined) return query.finding;
    if (nameLength === 0) return null;
    // A question whose name is compressed has its octets elsewhere, and its case is lost.
    const isPlain = query.questionEnd - HEADER_LENGTH - 4 === nameLength;
    query.finding = isPlain
      ? this.#secrets.examine(query.octets, HEADER_LENGTH)
      : this.#secrets.examine(name, 0);
    return query.finding;
  }

  #noteFinding(query: Query, finding: Finding, ending: Ending): void {
    const { client, clientLength, group, site } = query;
    const name = group < 0 ? null : site.groups[group].description.name;
    this.#secrets.note(finding, client, clientLength, name, ending.response !== null);
  }

  /** The same for a response that is served again and again: the text in `tail` at word `tailAt` is alike each time. */
  finishAgain(query: Query, ending: Ending, tail: LineText, tailAt: number): void {
    this.#entry.tail = tail;
    this.#entry.tailAt = tailAt;
    this.#append(query, ending, true);
  }

  /** The part of an entry that is alike each time a cell is served. */
  renderTail(
    query: Query,
    ending: Ending,
    name: Uint8Array,
    detail: Uint8Array | null,
    finding: Finding | null,
  ): LineText {
    const entry = this.#entry;
    entry.name = name;
    entry.nameLength = name.length;
    entry.qtype = query.qtype;
    entry.qclass = query.qclass;
    entry.outcome = ending.audit;
    entry.detail = detail;
    entry.tail = null;
    entry.redaction = finding === null ? null : finding.redaction;
    return this.#audit.renderTail(entry);
  }

  #append(query: Query, ending: Ending, cached: boolean): void {
    const entry = this.#entry;
    const latencyUs = Math.max(0, Math.round((this.#clock.nowMs() - query.arrivedAtMs) * 1000));
    entry.atMs = this.wallMs;
    entry.latencyUs = latencyUs;
    entry.transport = TRANSPORT_NAMES[query.transport];
    entry.client = query.client;
    entry.clientLength = query.clientLength;
    entry.clientPort = query.clientPort;
    entry.id = query.id;
    entry.rcode = query.rcode;
    entry.size = query.rcode === -1 ? 0 : query.length;
    entry.cached = cached;
    this.#audit.append(entry);
    if (query.rcode === -1) {
      this.#counters.dropped(ending.decision);
    } else {
      this.#counters.finished(query.rcode, ending.decision, latencyUs);
      if ((query.octets[2] & TC) !== 0) this.#counters.columns[At.truncated]++;
    }
    if (query.message !== null) this.heldOctets += query.length;
    this.#outbox.push(query);
  }

  /** Hands the entries of this turn over and sends what they vouch for. */
  flush(refusal: (query: Query) => Ending): void {
    const batch = this.#outbox;
    if (batch.length === 0) return;
    this.heldOctets = 0;
    this.#outbox = this.#spare.pop() ?? [];
    this.#audit.commit((kept) => {
      if (!kept) for (const query of batch) this.#refuse(query, refusal(query));
      for (const query of batch) this.#send(query);
      batch.length = 0;
      this.#spare.push(batch);
      const touched = this.#touched;
      for (const socket of touched) socket.flush();
      touched.length = 0;
    });
  }

  #refuse(query: Query, ending: Ending): void {
    if (query.rcode !== -1) respondEmpty(query, ending.rcode, ending.ede);
  }

  #send(query: Query): void {
    const { datagram, message, socket } = query;
    if (datagram !== null && socket !== null) {
      if (query.rcode === -1) {
        socket.release(datagram);
      } else {
        datagram.length = query.length;
        socket.reply(datagram);
        if (!this.#touched.includes(socket)) this.#touched.push(socket);
      }
    } else if (message !== null) {
      if (query.rcode === -1) {
        message.discard();
      } else {
        message.length = query.length;
        message.respond();
        // An answer of 60 kB had octets made for it; the next query of this place brings its own.
        query.release();
      }
    }
  }
}
