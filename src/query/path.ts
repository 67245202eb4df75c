/**
 * The path of a query, from datagram or message to the response. `advance` holds the order of the stages, which is part
 * of the security; `exit` is the one way out.
 *
 *    batch → advance each ─┬─ finished ──────────────────────▶ exit: audit, then send
 *                          └─ waits for an upstream → resume ─▶ exit
 *
 * - Policy before cache: a shared cell must not tell one group what only another may ask.
 * - Detector before upstream: in a tunnel the name is the payload, and once forwarded it has left. Likewise secrets.
 * - Answer judged before it is stored or sent.
 */
import type { AuditLog } from '../audit/index.ts';
import { type Cell, NO_RECORD, type ResponseCache, variantOf } from '../cache/index.ts';
import type { StreamMessage } from '../listen/contract.ts';
import { At, type Counters } from '../metrics/index.ts';
import type { Datagram, DatagramSocket, PrefixSet } from '../net/index.ts';
import type { Verdict } from '../policy/index.ts';
import { HEADER_LENGTH, isResponse, ProxyHeader, Question, Rrtype } from '../wire/index.ts';
import { AliasJudge } from './alias.ts';
import type { TtlBounds } from './clamp.ts';
import type { Clock, Detector, DetectorProfile, Finding, PathUpstreams, SecretWatch } from './contract.ts';
import { Cookies } from './cookie.ts';
import { writeDenial } from './denial.ts';
import { answerDetail, answerTexts } from './describe.ts';
import { Exit } from './exit.ts';
import type { ForwarderOptions } from './forwarded-client.ts';
import { Forwarding } from './forwarding.ts';
import type { Ending, OutcomeName } from './outcome.ts';
import type { PrefetchLimits } from './prefetch.ts';
import { Query } from './query.ts';
import type { RateLimit } from './rate-limit.ts';
import { QuestionReader } from './read-question.ts';
import { appendRecord, respondAnswer, respondAny, respondCell, respondEmpty, respondHot } from './respond.ts';
import type { GroupView, Site } from './site.ts';

export interface PathLimits extends TtlBounds {
  readonly udpSize: number;
  /** Queries of one client address that may wait for an upstream. */
  readonly pendingPerClient: number;
  /** The same for addresses that cannot be forged: with a valid DNS cookie, or over a stream. */
  readonly pendingPerProvenClient: number;
  /** The same for groups of forwarders, which have many clients behind one address. */
  readonly pendingPerForwarder: number;
  readonly clientDeadlineMs: number;
  readonly aliasRestarts: number;
  /** Most questions in flight to upstreams; one pool may have half of them. */
  readonly flights: number;
  /** Most questions in flight for names with the same last three labels; twice as many for the same last two. */
  readonly flightsPerDomain: number;
  readonly failureTtlSeconds: number;
  /** Names that are asked often are asked anew before they end; null when that is off. */
  readonly prefetch: PrefetchLimits | null;
  /** Stale answers (RFC 8767): how long after its end an answer may be used, 0 never; and when it is given. */
  readonly staleSeconds: number;
  readonly staleAfterMs: number;
}

export interface PathOptions {
  readonly site: Site;
  readonly audit: AuditLog;
  readonly cache: ResponseCache;
  readonly counters: Counters;
  readonly upstreams: PathUpstreams;
  readonly detector: Detector;
  readonly secrets: SecretWatch;
  readonly clock: Clock;
  readonly limits: PathLimits;
  /** Load balancers that put a PROXY header before every datagram; null when there are none. */
  readonly proxies: PrefixSet | null;
  /** Forwarders that say in EDNS which client asks; null when there are none. */
  readonly forwarders: ForwarderOptions | null;
  /** Limits responses over UDP; null for no limit. */
  readonly rateLimit: RateLimit | null;
  /** Seed of all hashes over names and addresses, the same in all threads. */
  readonly hashSeed: number;
  /** 16 octets, the same in all threads. */
  readonly cookieSecret: Uint8Array;
  /** An exception was caught around a query: a bug. The query was answered SERVFAIL. */
  readonly onBug: (error: unknown) => void;
}

/** A server socket's own place on the path: its slots have their queries here. */
export interface Intake {
  socket: DatagramSocket | null;
  readonly onBatch: (datagrams: readonly Datagram[], count: number) => void;
}

/** Octets of responses that one turn may gather for streams: a few of the largest, hundreds of the usual ones. */
const HELD_OCTETS_MAX = 128 * 1024;
/** Free slots below which the oldest waiting queries are given up, so that new ones can be received. */
const FREE_SLOTS_MIN = 64;

export class QueryPath {
  #site: Site;
  readonly #audit: AuditLog;
  readonly #cache: ResponseCache;
  readonly #counters: Counters;
  readonly #upstreams: PathUpstreams;
  readonly #detector: Detector;
  readonly #secrets: SecretWatch;
  readonly #clock: Clock;
  readonly #onBug: (error: unknown) => void;
  readonly #rateLimit: RateLimit | null;
  readonly #question: Question;
  readonly #reader: QuestionReader;
  readonly #exit: Exit;
  readonly #aliases: AliasJudge;
  readonly #forwarding: Forwarding;
  readonly #cookies: Cookies;
  /** Load balancers whose datagrams have a PROXY header; null when there are none. */
  readonly #proxies: PrefixSet | null;
  readonly #proxyHeader = new ProxyHeader();
  #nowMs = 0;
  #isEndDue = false;

  constructor(options: PathOptions) {
    this.#site = options.site;
    this.#audit = options.audit;
    this.#cache = options.cache;
    this.#counters = options.counters;
    this.#upstreams = options.upstreams;
    this.#detector = options.detector;
    this.#secrets = options.secrets;
    this.#clock = options.clock;
    this.#onBug = options.onBug;
    this.#rateLimit = options.rateLimit;
    this.#proxies = options.proxies;
    this.#question = new Question(options.hashSeed);
    this.#reader = new QuestionReader(options.limits.udpSize, options.forwarders);
    this.#cookies = new Cookies(options.cookieSecret);
    this.#exit = new Exit(options.audit, options.counters, options.clock, options.secrets);
    this.#aliases = new AliasJudge(options.hashSeed);
    this.#forwarding = new Forwarding(options, this.#exit, this.#aliases, this.#cookies, () =>
      this.#endTurnSoon(),
    );
  }

  /** Queries that wait for an upstream. */
  get waiting(): number {
    return this.#forwarding.waiting;
  }

  /** New queries begin with this site; those in flight keep theirs. */
  replaceSite(site: Site): void {
    this.#site = site;
  }

  openIntake(): Intake {
    const queries: Query[] = [];
    const proxies = this.#proxies;
    const intake: Intake = {
      socket: null,
      onBatch: (datagrams, count) => {
        const { socket } = intake;
        if (socket === null) return;
        const nowMs = this.#beginTurn();
        for (let i = 0; i < count; i++) {
          const datagram = datagrams[i];
          // From a load balancer the header must be there: without it nobody knows whose query this is.
          const isBehind = proxies?.has(datagram.peer, datagram.peerLength) === true;
          if (isBehind && !this.#unwrap(datagram)) {
            socket.release(datagram);
            continue;
          }
          if (isNoQuery(datagram.octets, datagram.length) || isReflector(datagram.peerPort)) {
            socket.release(datagram);
            continue;
          }
          let query = queries[datagram.slot];
          if (query === undefined) {
            query = new Query(this.#site);
            queries[datagram.slot] = query;
          }
          query.fromDatagram(socket, datagram, this.#site, nowMs);
          if (isBehind && this.#proxyHeader.addressLength > 0) {
            const { address, addressLength, port } = this.#proxyHeader;
            query.speakFor(address, addressLength, port);
          }
          this.#take(query, datagram.truncated);
        }
        const lacking = FREE_SLOTS_MIN - socket.freeSlots;
        if (lacking > 0) this.#forwarding.shed(lacking);
        this.endTurn();
      },
    };
    return intake;
  }

  /** Reads the PROXY header of a datagram and takes it off; false when there is none to be read. */
  #unwrap(datagram: Datagram): boolean {
    const { octets, length } = datagram;
    const headerLength = this.#proxyHeader.read(octets, length);
    if (headerLength <= 0) {
      this.#counters.columns[At.proxyFaults]++;
      return false;
    }
    octets.copyWithin(0, headerLength, length);
    datagram.length = length - headerLength;
    return true;
  }

  /** A message of a stream; `endTurn` follows when all that came with it were handed over. */
  takeMessage(message: StreamMessage): void {
    const nowMs = this.#beginTurn();
    if (isNoQuery(message.octets, message.length)) {
      message.discard();
      return;
    }
    const known = message.context;
    const query = known instanceof Query ? known : new Query(this.#site);
    message.context = query;
    query.fromStream(message, this.#site, nowMs);
    this.#take(query, false);
    // Only what was sent counts against a client that does not read, so much must not gather before.
    if (this.#exit.heldOctets > HELD_OCTETS_MAX) this.endTurn();
  }

  /** Sends what this turn has finished and asks what it has to ask. */
  endTurn(): void {
    this.#exit.flush((query) => this.#outcome(query, 'audit'));
    this.#upstreams.flush();
  }

  /** One turn for all replies of one batch: a microtask runs when the batch has been handed over. */
  #endTurnSoon(): void {
    if (this.#isEndDue) return;
    this.#isEndDue = true;
    queueMicrotask(() => {
      this.#isEndDue = false;
      this.endTurn();
    });
  }

  /** Called every few milliseconds: ends what has waited long enough. */
  tick(): void {
    this.#forwarding.tick(this.#beginTurn());
    this.endTurn();
  }

  #beginTurn(): number {
    this.#nowMs = this.#clock.nowMs();
    this.#exit.wallMs = this.#clock.wallMs();
    return this.#nowMs;
  }

  #take(query: Query, truncated: boolean): void {
    try {
      this.#advance(query, truncated);
    } catch (error) {
      // A bug is no reason to stop, nor to let anything through.
      this.#counters.columns[At.bugs]++;
      this.#onBug(error);
      this.#end(query, this.#outcome(query, 'bug'));
    }
  }

  /** Takes a query as far as it can go without waiting. */
  #advance(query: Query, truncated: boolean): void {
    const question = this.#question;
    const unreadable = this.#reader.read(query, question, truncated);
    this.#counters.query(query.transport, query.clientLength === 16, query.qtype);
    if (this.#rateLimit !== null && !query.isStream && this.#isOverRate(query, this.#rateLimit)) {
      return this.#limitRate(query, this.#rateLimit);
    }
    if (unreadable !== null) return this.#end(query, this.#outcome(query, unreadable));

    const { policy, groups } = query.site;
    query.group = policy.groupOf(query.client, query.clientLength);
    if (query.group < 0) return this.#end(query, query.site.outcome('client'));
    const group = groups[query.group];

    const { wallMs } = this.#exit;
    const apartUntilMs = this.#detector.quarantinedUntilMs(
      question,
      query.client,
      query.clientLength,
      wallMs,
    );
    if (apartUntilMs !== 0 && this.#keepApart(query, group, apartUntilMs)) return;

    const variant = variantOf(group.view, query.dnssecOk, query.checkingDisabled);
    if (query.recursionDesired && this.#serveHot(query, variant)) return;
    const cell = this.#cache.find(question, variant);
    // A cell carries the verdict on its question, for this group and until a rule ends: no other may use it.
    const known = cell === undefined || !query.recursionDesired ? null : this.#knownVerdict(query, cell);
    if (known !== null && cell !== undefined && this.#serve(query, group, known, cell)) return;

    const isAny = question.type === Rrtype.ANY;
    // ANY is never forwarded: it is allowed where addresses are, and answered with one small record (RFC 8482).
    if (isAny) question.type = Rrtype.A;
    const verdict = policy.judge(query.group, question, this.#exit.wallMs);
    if (isAny) question.type = Rrtype.ANY;
    if (verdict.action === 'deny' && !verdict.observed) return this.#deny(query, group, verdict);
    if (isAny && verdict.action !== 'local') return this.#answerAny(query, group);
    if (verdict.action === 'local') return this.#forwarding.answerLocally(query, question, verdict.zone);
    if (!query.recursionDesired) return this.#end(query, group.outcome('recursion'));

    if (cell !== undefined && this.#serve(query, group, verdict, cell)) return;

    const profile = profileOf(verdict);
    const finding = this.#exit.examine(query, question.name, question.length);
    if (finding !== null && group.onSecret !== null && profile !== 'off') {
      const evidence = [`The name holds: ${finding.kinds.join(', ')}.`];
      if (group.onSecret === 'deny') return this.#stop(query, group.denial('secret'), evidence);
      query.evidence = evidence;
      query.observedCause = 'secret';
    }
    if (
      cell !== undefined &&
      profile !== 'off' &&
      group.tunnelResponse(profile).action !== 'alert' &&
      this.#detector.holds(question, query.client, query.clientLength, this.#exit.wallMs) &&
      this.#forwarding.serveHeld(query, cell, verdict.pool)
    )
      return;
    if (profile !== 'off') {
      const response = group.tunnelResponse(profile);
      const { client, clientLength } = query;
      const alarm = this.#detector.check(question, client, clientLength, profile, response, wallMs);
      if (alarm !== null) {
        if (this.#detector.denies(response, wallMs)) {
          return this.#stop(query, group.denial('tunnel'), alarm.evidence);
        }
        query.evidence = alarm.evidence;
        query.observedCause = 'tunnel';
      }
    }

    this.#counters.columns[At.cacheMisses]++;
    this.#forwarding.forward(query, question, variant, verdict, cell);
  }

  /** A client in quarantine gets local names and those its group names exactly; true when this query is denied. */
  #keepApart(query: Query, group: GroupView, untilMs: number): boolean {
    const verdict = query.site.policy.judge(query.group, this.#question, this.#exit.wallMs);
    if (verdict.action === 'local' || (verdict.action === 'allow' && verdict.isExact)) return false;
    // What is denied anyway keeps the reason it has.
    if (verdict.action === 'deny' && !verdict.observed) return false;
    const until = new Date(untilMs).toISOString();
    const evidence = [
      `This client is in quarantine until ${until}: it gets local names and names of exact rules.`,
    ];
    this.#stop(query, group.denial('quarantine'), evidence);
    return true;
  }

  /** A forwarder's clients, and who holds our cookie, are who they say they are. Asked last: most are below the rate. */
  #isOverRate(query: Query, rate: RateLimit): boolean {
    if (rate.take(query.client, query.clientLength, this.#nowMs)) return false;
    if (this.#cookies.isValid(query, this.#exit.wallMs / 1000)) return false;
    if (rate.includesForwarders) return true;
    const { policy, groups } = query.site;
    const group = policy.groupOf(query.client, query.clientLength);
    return group < 0 || !groups[group].description.forwarder;
  }

  #limitRate(query: Query, rate: RateLimit): void {
    const ending = query.site.outcome('rate');
    if (rate.slips()) {
      this.#counters.columns[At.rateSlipped]++;
      respondEmpty(query, ending.rcode, null, this.#cookie(query), true);
    } else {
      this.#counters.columns[At.rateDropped]++;
      query.rcode = -1;
    }
    const nameLength = query.questionEnd > HEADER_LENGTH ? this.#question.length : 0;
    this.#exit.finish(query, ending, this.#question.name, nameLength, null, false);
  }

  /** What was said of the cell's question, if it still holds. */
  #knownVerdict(query: Query, cell: Cell): AllowingVerdict | null {
    const { policy } = query.site;
    if (cell.judgedBy !== policy.generation || cell.phase !== policy.phaseAt(this.#exit.wallMs)) return null;
    return cell.verdict as AllowingVerdict | null;
  }

  /** Answers what is asked most; false when it is not, or does not fit, and the query goes on. */
  #serveHot(query: Query, variant: number): boolean {
    const { policy } = query.site;
    const phase = policy.phaseAt(this.#exit.wallMs);
    const nowMs = this.#nowMs;
    const line = this.#cache.findHot(this.#question, variant, query.group, policy.generation, phase, nowMs);
    if (line === NO_RECORD) return false;
    const { hot } = this.#cache;
    if (!respondHot(query, hot, line, hot.ageSecondsOf(line, nowMs), this.#cookie(query))) return false;
    this.#counters.columns[hot.isNegative(line) ? At.cacheHitsDenial : At.cacheHitsSuccess]++;
    this.#exit.finishAgain(query, hot.endingOf(line) as Ending, hot.words, hot.textAt(line));
    return true;
  }

  /** Answers from `cell` if it may and can be; false sends the query on. */
  #serve(query: Query, group: GroupView, verdict: AllowingVerdict, cell: Cell): boolean {
    const isDue = cell.dueAtMs <= this.#nowMs;
    if ((isDue && cell.endsAtMs <= this.#nowMs) || cell.pool !== verdict.pool) return false;
    const { policy } = query.site;
    const phase = policy.phaseAt(this.#exit.wallMs);
    if (cell.judgedBy !== policy.generation || cell.phase !== phase) {
      // Under new rules an answer is judged anew; what they deny is asked again and denied with its reason.
      const wallMs = this.#exit.wallMs;
      if (
        this.#aliases.firstBlocked(policy, query.group, verdict, cell.name, cell.type, cell, wallMs) !== null
      ) {
        return false;
      }
      cell.judgedBy = policy.generation;
      cell.phase = phase;
      cell.verdict = verdict;
    }
    cell.hits++;
    const ageSeconds = Math.floor((this.#nowMs - cell.storedAtMs) / 1000);
    if (cell.failure !== null) {
      const ending = group.outcome(cell.failure);
      respondAnswer(query, cell, 0, false, ending.ede, this.#cookie(query));
      this.#exit.finish(query, ending, cell.name, cell.name.length, null, true);
      return true;
    }
    const columns = this.#counters.columns;
    if (cell.negative) columns[At.cacheHitsDenial]++;
    else columns[At.cacheHitsSuccess]++;
    respondCell(query, cell, ageSeconds, this.#cookie(query));
    const ending = group.ending(verdict);
    if (isDue && this.#prefetch(query, group, verdict, cell)) {
      const prefetched = answerTexts(cell, query.questionEnd, this.#secrets, null);
      const detail = this.#audit.renderDetail({ answers: prefetched, upstream: cell.server, prefetch: true });
      this.#exit.finish(query, ending, cell.name, cell.name.length, detail, true);
      return true;
    }
    if (cell.tail === null || cell.tailOf !== ending) {
      const finding =
        (cell.finding as Finding | null) ?? this.#exit.examine(query, cell.name, cell.name.length);
      const detail = this.#describe(cell, query.questionEnd, finding);
      cell.tail = this.#exit.renderTail(query, ending, cell.name, detail, finding);
      cell.tailOf = ending;
    }
    this.#exit.finishAgain(query, ending, cell.tail, 0);
    if (!isDue) this.#cache.keepHot(this.#question, cell, query.group, ending, cell.tail);
    return true;
  }

  /** Asks anew for the name of a cell that is about to end, under the same conditions as for one that has. */
  #prefetch(query: Query, group: GroupView, verdict: AllowingVerdict, cell: Cell): boolean {
    if (cell.finding !== null || !this.#forwarding.mayPrefetch(cell)) return false;
    const question = this.#question;
    const profile = profileOf(verdict);
    if (profile !== 'off') {
      const { client, clientLength } = query;
      const { wallMs } = this.#exit;
      if (this.#detector.holds(question, client, clientLength, wallMs)) return false;
      const response = group.tunnelResponse(profile);
      if (this.#detector.check(question, client, clientLength, profile, response, wallMs) !== null)
        return false;
    }
    return this.#forwarding.prefetch(query, question, verdict, cell);
  }

  #describe(cell: Cell, questionEnd: number, finding: Finding | null): Uint8Array {
    return this.#audit.renderDetail(answerDetail(cell, questionEnd, cell.server, this.#secrets, finding));
  }

  #cookie(query: Query): Uint8Array {
    return this.#cookies.answer(query, this.#exit.wallMs / 1000);
  }

  #deny(query: Query, group: GroupView, verdict: Verdict): void {
    this.#finishDenied(query, group.ending(verdict), null);
  }

  /** Denied for what the name says: the same answer as any other, the evidence in the audit. */
  #stop(query: Query, ending: Ending, evidence: readonly string[]): void {
    this.#finishDenied(query, ending, this.#audit.renderDetail({ evidence }));
  }

  #finishDenied(query: Query, ending: Ending, detail: Uint8Array | null): void {
    writeDenial(query, ending, this.#cookie(query));
    this.#exit.finish(query, ending, this.#question.name, this.#question.length, detail, false);
  }

  #answerAny(query: Query, group: GroupView): void {
    respondAny(query, this.#cookie(query));
    this.#exit.finish(query, group.outcome('any'), this.#question.name, this.#question.length, null, false);
  }

  #outcome(query: Query, name: OutcomeName): Ending {
    return query.group < 0 ? query.site.outcome(name) : query.site.groups[query.group].outcome(name);
  }

  /** Ends a query with an empty response. */
  #end(query: Query, ending: Ending): void {
    const hasName = query.questionEnd > HEADER_LENGTH;
    const detail = hasName ? null : this.#reader.describeUnreadable(query, this.#audit, this.#secrets);
    respondEmpty(query, ending.rcode, ending.ede, this.#cookie(query));
    if (query.signature !== null) appendRecord(query, query.signature);
    this.#exit.finish(query, ending, this.#question.name, hasName ? this.#question.length : 0, detail, false);
  }
}

/** A verdict under which an upstream is asked: allowed, or denied by a group that only observes. */
export type AllowingVerdict = Verdict & { readonly pool: string };

/** How closely names under this verdict are watched. */
export const profileOf = (verdict: Verdict): DetectorProfile =>
  verdict.action === 'local' ? 'off' : (verdict.rule?.profile ?? 'default');

/**
 * Source ports of services that answer whatever they are sent: echo, discard, daytime, qotd, chargen, time, kpasswd. A query that
 * seems to come from one is forged, and an answer could begin a conversation without end. No answer reaches port 0.
 */
const REFLECTORS = new Set([0, 7, 9, 13, 17, 19, 37, 464]);
const isReflector = (port: number): boolean => port <= 464 && REFLECTORS.has(port);

/** Too short for a header, or a response: answered with silence, or two servers would talk to each other for ever. */
const isNoQuery = (octets: Uint8Array, length: number): boolean =>
  length < HEADER_LENGTH || isResponse(octets);
