/**
 * Asking upstreams and going on when one has spoken: merging, aliases that lead to another pool, judging, storing, and
 * the deadline of every client.
 */
import { type Answer, AnswerReader, type ReadOptions } from '../answer/index.ts';
import type { AuditLog } from '../audit/index.ts';
import { Cell, type ResponseCache, type StoredFailure } from '../cache/index.ts';
import { At, type Counters } from '../metrics/index.ts';
import type { DenyResponse, Policy, Verdict } from '../policy/index.ts';
import { Ede, edeOption, nameText, Question, Rcode, Rrtype, rcodeName } from '../wire/index.ts';
import type { AliasJudge, BlockedAlias } from './alias.ts';
import { clampTtls } from './clamp.ts';
import type { Clock, Detector, Finding, PathUpstreams, SecretWatch, UpstreamFailure } from './contract.ts';
import type { Cookies } from './cookie.ts';
import { writeDenial } from './denial.ts';
import { answerDetail, answerTexts } from './describe.ts';
import type { Exit } from './exit.ts';
import { Flight, type FlightHome, Flights, WaitingList } from './flights.ts';
import { isHealthProbe, localMessage, rootServersMessage } from './local.ts';
import { denyEnding, type Ending, type OutcomeName } from './outcome.ts';
import { type AllowingVerdict, type PathLimits, type PathOptions, profileOf } from './path.ts';
import { PendingByClient } from './pending.ts';
import { Prefetch } from './prefetch.ts';
import type { Query } from './query.ts';
import { respondAnswer, respondAny, respondEmpty } from './respond.ts';
import type { GroupView } from './site.ts';

/** The pool of names that are answered here. */
const LOCAL_POOL = 'local';
/** Time after the client's deadline in which a late reply is still taken for the cache. */
const LATE_MS = 1500;
/** How often waiting queries are looked through for those whose client has gone. */
const SWEEP_MS = 200;
/** What cannot reach any upstream is asked again after this long at the latest: it may be back. */
const UNREACHABLE_TTL_SECONDS_MAX = 1;
/** How long `. NS` waits for an upstream: CoreDNS gives its health probe one second. */
const HEALTH_PROBE_MS = 500;
/** TTL of stale answers (RFC 8767 section 5.11). */
const STALE_TTL_SECONDS = 30;

const STALE_EDE = edeOption(Ede.STALE_ANSWER, 'no upstream answered; this answer is past its time');
const STALE_NXDOMAIN_EDE = edeOption(
  Ede.STALE_NXDOMAIN_ANSWER,
  'no upstream answered; this answer is past its time',
);
const HELD_EDE = edeOption(
  Ede.STALE_ANSWER,
  'kept past its time: the choice of names asked here tells too much',
);
/** How long after it was stored an answer is given to a client whose questions are held (docs/detection.md). */
const HELD_MS_MAX = 6 * 3_600_000;
const NO_OCTETS = new Uint8Array(0);
/** Where each bound that was met is counted. */
const FULL_AT = { flights: At.limitedFlights, pool: At.limitedPool, domain: At.limitedDomain } as const;

export class Forwarding implements FlightHome {
  readonly #audit: AuditLog;
  readonly #cache: ResponseCache;
  readonly #counters: Counters;
  readonly #upstreams: PathUpstreams;
  readonly #detector: Detector;
  readonly #secrets: SecretWatch;
  readonly #clock: Clock;
  readonly #limits: PathLimits;
  readonly #exit: Exit;
  readonly #aliases: AliasJudge;
  readonly #cookies: Cookies;
  readonly #flights: Flights;
  readonly #reader = new AnswerReader();
  /** How the reply at hand is read, and the flight it is for: one object for all. */
  readonly #reading: { -readonly [Key in keyof ReadOptions]: ReadOptions[Key] };
  #read: Flight | null = null;
  readonly #prefetch: Prefetch | null;
  /** The question of the flight at hand. */
  readonly #question: Question;
  readonly #pending: PendingByClient;
  readonly #onBug: (error: unknown) => void;
  /** Ordinary clients, forwarders, and those who would get a stale answer: each list with one patience. */
  readonly #patient = new Map<number, WaitingList>();
  #waiting = 0;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  /** The query that is being answered after a wait: an exception must not lose it. */
  #atHand: Query | null = null;

  /** Told when upstreams have finished queries outside of a turn: they are to be sent when the batch is through. */
  readonly #settled: () => void;

  constructor(options: PathOptions, exit: Exit, aliases: AliasJudge, cookies: Cookies, settled: () => void) {
    this.#settled = settled;
    this.#audit = options.audit;
    this.#cache = options.cache;
    this.#counters = options.counters;
    this.#upstreams = options.upstreams;
    this.#detector = options.detector;
    this.#secrets = options.secrets;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#onBug = options.onBug;
    this.#exit = exit;
    this.#aliases = aliases;
    this.#cookies = cookies;
    this.#question = new Question(options.hashSeed);
    this.#pending = new PendingByClient(options.hashSeed);
    this.#flights = new Flights(options.limits);
    this.#prefetch = options.limits.prefetch === null ? null : new Prefetch(options.limits.prefetch);
    this.#reading = {
      dnssecOk: false,
      trusted: false,
      mayFollow: (target) => this.#read !== null && this.#staysInPool(this.#read, target),
      continues: undefined,
    };
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Sends a query on its way, or lets it wait for the same question of another client. */
  forward(
    query: Query,
    question: Question,
    variant: number,
    verdict: AllowingVerdict,
    stale: Cell | undefined,
  ): void {
    if (!this.#hasPlace(query, question)) return this.#end(query, question, 'limit');
    let flight = this.#flights.find(question, variant, query.site);
    if (flight !== null) {
      this.#counters.columns[At.coalesced]++;
      flight.finding ??= query.finding ?? null;
      this.#wait(query, question, flight);
    } else {
      const { pool } = verdict;
      if (this.#isFull(query, question, pool)) return;
      const phase = query.site.policy.phaseAt(this.#exit.wallMs);
      flight = new Flight(this, question, variant, query, verdict, phase, pool);
      flight.stale = this.#mayServeStale(stale, pool) ? (stale ?? null) : null;
      flight.isHealthProbe = isHealthProbe(query, question);
      this.#flights.add(flight, question);
      // Before it is asked: what nobody waits for is not sent.
      this.#wait(query, question, flight);
      this.#ask(flight, flight.name);
    }
  }

  mayPrefetch(cell: Cell): boolean {
    return this.#prefetch?.isWorth(cell) === true;
  }

  /** Asks anew for what `cell` holds, on behalf of nobody. False when it is asked already, or a bound was met. */
  prefetch(query: Query, question: Question, verdict: AllowingVerdict, cell: Cell): boolean {
    const { pool } = verdict;
    if (this.#flights.find(question, cell.variant, query.site) !== null) return false;
    if (this.#flights.fullFor(question, pool) !== null || this.#prefetch?.take(query.arrivedAtMs) !== true) {
      this.#counters.columns[At.prefetchesSkipped]++;
      return false;
    }
    cell.lastPartMs = 0;
    this.#counters.columns[At.prefetches]++;
    const phase = query.site.policy.phaseAt(this.#exit.wallMs);
    const flight = new Flight(this, question, cell.variant, query, verdict, phase, pool);
    flight.isPrefetch = true;
    this.#flights.add(flight, question);
    this.#ask(flight, flight.name);
    return true;
  }

  /** Whether the client may have one more query waiting; one of its own may be given up for it. */
  #hasPlace(query: Query, question: Question): boolean {
    if (this.#pending.hasRoom(query, this.#placesOf(query))) return true;
    this.#counters.columns[At.limited]++;
    const yields = this.#pending.whoYields(query, question);
    if (yields === null) return false;
    this.#giveUp(yields, 'limit');
    return true;
  }

  /** A forged address could fill another's places, so who has shown that it is his own has more. */
  #placesOf(query: Query): number {
    const { pendingPerClient, pendingPerProvenClient, pendingPerForwarder } = this.#limits;
    if (query.site.groups[query.group].description.forwarder) return pendingPerForwarder;
    const isProven = query.isStream || this.#cookies.isValid(query, this.#exit.wallMs / 1000);
    return isProven ? Math.max(pendingPerClient, pendingPerProvenClient) : pendingPerClient;
  }

  /** Ends the query when no further question may be asked for it. */
  #isFull(query: Query, question: Question, pool: string): boolean {
    const full = this.#flights.fullFor(question, pool);
    if (full === null) return false;
    this.#counters.columns[FULL_AT[full]]++;
    this.#end(query, question, full === 'domain' ? 'domain' : 'overload');
    return true;
  }

  /** The answer of a local zone, followed out of it where an alias leads there. */
  answerLocally(query: Query, question: Question, zone: number): void {
    const { policy, groups } = query.site;
    const group = groups[query.group];
    // Of a name that exists: a small answer that says so, as for names of upstreams (RFC 8482).
    if (question.type === Rrtype.ANY && policy.answerLocally(zone, question).rcode === 'NOERROR') {
      respondAny(query, this.#cookie(query), true);
      return this.#exit.finish(query, group.outcome('any'), question.name, question.length, null, false);
    }
    const answer = this.#readLocal(policy, query.group, zone, question, undefined);
    if (typeof answer === 'string') return this.#end(query, question, 'localAlias');
    if (!answer.complete) return this.#leaveLocalZone(query, question, group, answer);
    const fits = respondAnswer(query, answer, 0, true, null, this.#cookie(query));
    const finding = this.#exit.examine(query, question.name, question.length);
    const texts = answerTexts(answer, 12 + question.length + 4, this.#secrets, finding);
    const detail = fits ? this.#audit.renderDetail({ answers: texts }) : null;
    this.#exit.finish(query, group.outcome('local'), question.name, question.length, detail, false);
  }

  /** What is said to who asks whether we are well, when no upstream has said anything better. */
  #answerHealthProbe(query: Query, question: Question): void {
    const message = rootServersMessage(question);
    const reading = { dnssecOk: false, trusted: false, mayFollow: () => false };
    const answer = this.#reader.read(message, message.length, question, reading);
    if (typeof answer === 'string') return this.#end(query, question, 'bug');
    respondAnswer(query, answer, 0, false, null, this.#cookie(query));
    const group = query.site.groups[query.group];
    this.#exit.finish(query, group.outcome('local'), question.name, question.length, null, false);
  }

  #leaveLocalZone(query: Query, question: Question, group: GroupView, prefix: Answer): void {
    const target = prefix.targets[prefix.targets.length - 1];
    const { policy } = query.site;
    const said = this.#aliases.verdictOn(policy, query.group, target, question.type, this.#exit.wallMs);
    if (said.action === 'local') return this.#end(query, question, 'localAlias');
    if (said.action === 'deny' && said.cause === 'denied' && !said.observed) {
      const why = said.rule?.reason ?? 'denied';
      const ending = this.#aliasDenial(group, { target: nameText(target), rule: said.rule, why }, null);
      writeDenial(query, ending, this.#cookie(query));
      return this.#exit.finish(query, ending, question.name, question.length, null, false);
    }
    if (!query.recursionDesired) {
      respondAnswer(query, prefix, 0, true, null, this.#cookie(query));
      return this.#exit.finish(query, group.outcome('local'), question.name, question.length, null, false);
    }
    if (!this.#hasPlace(query, question)) return this.#end(query, question, 'limit');
    if (this.#isFull(query, question, said.pool)) return;
    // Such chains are not kept: the local half may change with the next policy.
    const verdict = policy.judge(query.group, question, this.#exit.wallMs);
    const phase = policy.phaseAt(this.#exit.wallMs);
    const flight = new Flight(this, question, -1, query, verdict, phase, said.pool);
    flight.prefix = prefix;
    this.#flights.add(flight, question);
    this.#wait(query, question, flight);
    this.#ask(flight, target);
  }

  #readLocal(
    policy: Policy,
    group: number,
    zone: number,
    question: Question,
    continues: { readonly answer: Answer; readonly asked: Question } | undefined,
  ): Answer | string {
    const asked = continues?.asked ?? question;
    const message = localMessage(policy.answerLocally(zone, asked), asked);
    return this.#reader.read(message, message.length, question, {
      dnssecOk: false,
      trusted: false,
      mayFollow: (target) =>
        this.#aliases.verdictOn(policy, group, target, question.type, this.#exit.wallMs).action === 'local',
      continues: continues?.answer,
    });
  }

  #ask(flight: Flight, name: Uint8Array): void {
    const pool = this.#upstreams.pool(flight.pool);
    const deadlineMs = flight.startedAtMs + this.#limits.clientDeadlineMs + LATE_MS;
    if (pool === undefined) {
      // The policy names a pool that the settings lack: `check` says so, and here it fails closed.
      queueMicrotask(() => flight.failed('unreachable', flight.pool));
      return;
    }
    const { type, dnssecOk, checkingDisabled } = flight;
    const asked =
      name === flight.name ? flight : { name, nameLength: name.length, type, dnssecOk, checkingDisabled };
    pool.ask(asked, deadlineMs, flight);
  }

  #wait(query: Query, question: Question, flight: Flight): void {
    this.#pending.add(query, question);
    flight.addWaiting(query);
    query.flight = flight;
    const group = query.site.groups[query.group];
    let patienceMs =
      flight.stale === null ? group.deadlineMs : Math.min(group.deadlineMs, this.#limits.staleAfterMs);
    if (flight.isHealthProbe) patienceMs = Math.min(patienceMs, HEALTH_PROBE_MS);
    let list = this.#patient.get(patienceMs);
    if (list === undefined) {
      list = new WaitingList();
      this.#patient.set(patienceMs, list);
    }
    query.waitingList = list;
    query.deadlineAtMs = query.arrivedAtMs + patienceMs;
    list.add(query);
    this.#waiting++;
  }

  /** A query stops waiting: it is about to be finished. */
  #stopWaiting(query: Query): void {
    query.waitingList?.remove(query);
    query.waitingList = null;
    query.flight = null;
    query.nextInFlight = null;
    this.#waiting--;
    this.#pending.remove(query);
  }

  /**
   * Ends every query whose time is over, and now and then those whose client has gone. The flight of either goes on, but
   * nothing more is sent for it: the late reply is still worth keeping.
   */
  tick(nowMs: number): void {
    if (nowMs - this.#sweptAtMs >= SWEEP_MS) {
      this.#sweptAtMs = nowMs;
      this.#sweep();
    }
    for (const list of this.#patient.values()) {
      for (let query = list.oldest; query !== null && query.deadlineAtMs <= nowMs; query = list.oldest) {
        this.#giveUp(query, 'timeout');
      }
    }
  }

  /** A connection or HTTP stream that ended takes its queries along: their places are for others. */
  #sweep(): void {
    for (const list of this.#patient.values()) {
      for (let query = list.oldest; query !== null; ) {
        const next: Query | null = query.waitingAfter;
        if (query.message?.cancelled === true) this.#leave(query);
        query = next;
      }
    }
  }

  /** Ends a query that nobody can be told the answer of. */
  #leave(query: Query): void {
    const { flight } = query;
    if (flight === null) throw new Error('a query waits without a flight');
    flight.removeWaiting(query);
    this.#stopWaiting(query);
    query.rcode = -1;
    const ending = query.site.groups[query.group].outcome('gone');
    this.#exit.finish(query, ending, flight.name, flight.nameLength, null, false);
  }

  /** Gives up the `count` oldest queries to make room: new ones are still worth answering, these hardly. */
  shed(count: number): void {
    for (; count > 0; count--) {
      let oldest: Query | null = null;
      for (const list of this.#patient.values()) {
        if (list.oldest !== null && (oldest === null || list.oldest.arrivedAtMs < oldest.arrivedAtMs))
          oldest = list.oldest;
      }
      if (oldest === null) return;
      this.#counters.columns[At.limitedSlots]++;
      this.#giveUp(oldest, 'overload');
    }
  }

  #giveUp(query: Query, outcome: OutcomeName): void {
    const { flight } = query;
    if (flight === null) throw new Error('a query waits without a flight');
    flight.removeWaiting(query);
    this.#stopWaiting(query);
    this.#question.set(flight.name, flight.type);
    if (flight.isHealthProbe) return this.#answerHealthProbe(query, this.#question);
    if (flight.stale !== null && this.#serveStale(query, flight.stale, null)) return;
    this.#end(query, this.#question, outcome);
  }

  /**
   * Continues a flight with a reply; false when nothing can be made of it. Called from outside of any turn, so it opens and the
   * caller closes one.
   */
  #resume(flight: Flight, message: Uint8Array, length: number, server: string, trusted: boolean): boolean {
    this.#exit.wallMs = this.#clock.wallMs();
    const question = this.#question.set(flight.name, flight.type);
    const reading = this.#reading;
    this.#read = flight;
    reading.dnssecOk = flight.dnssecOk;
    reading.trusted = trusted;
    reading.continues = flight.prefix ?? undefined;
    const answer = this.#reader.read(message, length, question, reading);
    if (typeof answer === 'string') {
      // The pool may have another server, and tells when it has none.
      flight.unusable = { why: answer, server };
      return false;
    }
    const aliasesBefore = flight.prefix?.aliasCount ?? 0;
    if (!answer.complete || isLeftOpen(answer, aliasesBefore)) {
      this.#continueElsewhere(flight, question, answer, server);
    } else {
      this.#conclude(flight, question, answer, server);
    }
    return true;
  }

  /** An alias that leaves its pool's names is asked again at the right pool (MaginotDNS). */
  #staysInPool(flight: Flight, target: Uint8Array): boolean {
    const { policy } = flight.site;
    const said = this.#aliases.verdictOn(policy, flight.group, target, flight.type, this.#exit.wallMs);
    return said.action !== 'local' && said.pool === flight.pool;
  }

  #continueElsewhere(flight: Flight, question: Question, prefix: Answer, server: string): void {
    if (++flight.restarts > this.#limits.aliasRestarts)
      return this.#fail(flight, 'unusable', server, 'alias chain too long');
    const target = prefix.targets[prefix.targets.length - 1];
    const { policy } = flight.site;
    // Judged before it is asked: a name that may not be reached must not leave either.
    const verdict = this.#verdictOn(flight, question);
    const blocked = this.#firstBlocked(flight, verdict, prefix);
    if (blocked !== null) return this.#denyAnswer(flight, flight.site.groups[flight.group], blocked);
    const said = this.#aliases.verdictOn(policy, flight.group, target, flight.type, this.#exit.wallMs);
    flight.prefix = prefix;
    if (said.action === 'local') {
      const asked = new Question(question.seed).set(target, flight.type);
      const answer = this.#readLocal(policy, flight.group, said.zone, question, { answer: prefix, asked });
      if (typeof answer === 'string') return this.#fail(flight, 'unusable', LOCAL_POOL, answer);
      if (!answer.complete) {
        flight.pool = LOCAL_POOL;
        return this.#continueElsewhere(flight, question, answer, LOCAL_POOL);
      }
      return this.#conclude(flight, question, answer, server);
    }
    flight.pool = said.pool;
    flight.unusable = null;
    this.#ask(flight, target);
  }

  /** The whole answer is there: judge it, keep it, and answer everybody who waits. */
  #conclude(flight: Flight, question: Question, answer: Answer, server: string): void {
    const { policy, groups } = flight.site;
    const group = groups[flight.group];
    const verdict = this.#verdictOn(flight, question);
    const blocked = this.#firstBlocked(flight, verdict, answer);
    if (blocked !== null) return this.#denyAnswer(flight, group, blocked);
    if (
      answer.rcode !== Rcode.NOERROR &&
      answer.rcode !== Rcode.NXDOMAIN &&
      answer.rcode !== Rcode.YXDOMAIN
    ) {
      return this.#fail(flight, 'upstreamRcode', server, rcodeName(answer.rcode), answer);
    }
    const ttlSeconds = clampTtls(answer, this.#limits, profileOf(verdict));
    const nowMs = this.#clock.nowMs();
    const detail = this.#audit.renderDetail(
      answerDetail(answer, 12 + question.length + 4, server, this.#secrets, flight.finding),
    );
    if (ttlSeconds > 0 && !flight.beginsHere) {
      const cell = new Cell(flight.name, flight.type, flight.variant, answer, {
        // The pool of the question, by which a query will look for it, even when an alias led elsewhere.
        pool: flight.firstPool,
        server,
        storedAtMs: nowMs,
        ttlSeconds,
        judgedBy: policy.generation,
      });
      cell.finding = flight.finding;
      this.#prefetch?.watch(cell);
      this.#cache.store(question, cell);
    }
    // Rules may have ended while the upstream was asked; then the verdict of now holds.
    const ending = group.ending(verdict);
    const mayAnswer = verdict.action !== 'deny' || verdict.observed;
    for (let query = this.#takeNext(flight); query !== null; query = this.#takeNext(flight)) {
      // AA speaks for the first owner of the answer (RFC 1035 section 4.1.1).
      if (mayAnswer) respondAnswer(query, answer, 0, flight.beginsHere, null, this.#cookie(query));
      else writeDenial(query, ending, this.#cookie(query));
      if (query.evidence !== null && mayAnswer) {
        const evidence = this.#audit.renderDetail({ upstream: server, evidence: query.evidence });
        this.#exit.finish(
          query,
          group.observed(query.observedCause),
          question.name,
          question.length,
          evidence,
          false,
        );
      } else {
        this.#exit.finish(query, ending, question.name, question.length, mayAnswer ? detail : null, false);
      }
      this.#observe(query, question, verdict, answer);
      this.#atHand = null;
    }
  }

  /** What the policy says of a flight's question by now: rules may have ended while the upstream was asked. */
  #verdictOn(flight: Flight, question: Question): Verdict {
    const { policy } = flight.site;
    const { wallMs } = this.#exit;
    return policy.phaseAt(wallMs) === flight.phase
      ? flight.verdict
      : policy.judge(flight.group, question, wallMs);
  }

  /** The detector learns from what came back. */
  #observe(query: Query, question: Question, verdict: Verdict, answer: Answer): void {
    const profile = profileOf(verdict);
    if (profile === 'off') return;
    const { rcode, body, answerCount } = answer;
    const { client, clientLength } = query;
    this.#detector.observe(
      question,
      client,
      clientLength,
      profile,
      query.site.groups[query.group].tunnelResponse(profile),
      rcode,
      body.length,
      answerCount,
      this.#exit.wallMs,
    );
  }

  #firstBlocked({ site, group, name, type }: Flight, verdict: Verdict, answer: Answer): BlockedAlias | null {
    return this.#aliases.firstBlocked(site.policy, group, verdict, name, type, answer, this.#exit.wallMs);
  }

  #aliasDenial(group: GroupView, blocked: BlockedAlias, finding: Finding | null): Ending {
    const response: DenyResponse = blocked.rule?.answer ?? group.description.answer;
    const target = this.#secrets.redactRdata(Rrtype.CNAME, blocked.target, finding);
    const why = `${blocked.why} (by way of ${target})`;
    return denyEnding(group.description, 'answer', blocked.rule, response, this.#audit, why);
  }

  #denyAnswer(flight: Flight, group: GroupView, blocked: BlockedAlias): void {
    const ending = this.#aliasDenial(group, blocked, flight.finding);
    for (let query = this.#takeNext(flight); query !== null; query = this.#takeNext(flight)) {
      writeDenial(query, ending, this.#cookie(query));
      this.#exit.finish(query, ending, flight.name, flight.name.length, null, false);
      this.#atHand = null;
    }
  }

  /** No usable answer came. `why` stands in the audit; `answer` has the extended errors of an upstream that said no. */
  #fail(
    flight: Flight,
    failure: StoredFailure | 'overload' | 'abandoned',
    server: string,
    why: string,
    answer?: Answer,
  ): void {
    const question = this.#question.set(flight.name, flight.type);
    const group = flight.site.groups[flight.group];
    // A name that was asked anew and not found is still what the cache says of it.
    const isKnown = flight.isPrefetch && flight.waiting === null;
    const tellsOfUpstream = failure !== 'overload' && failure !== 'abandoned';
    if (flight.stale === null && tellsOfUpstream && !isKnown && !flight.isHealthProbe)
      this.#rememberFailure(flight, question, failure, server, answer);
    const ending = group.outcome(failure === 'abandoned' ? 'timeout' : failure);
    const detail = this.#audit.renderDetail({ upstream: server, upstreamRcode: why });
    for (let query = this.#takeNext(flight); query !== null; query = this.#takeNext(flight)) {
      if (flight.isHealthProbe) this.#answerHealthProbe(query, question);
      else if (flight.stale === null || !this.#serveStale(query, flight.stale, null)) {
        if (answer === undefined) respondEmpty(query, ending.rcode, ending.ede, this.#cookie(query));
        else respondAnswer(query, servfail(answer), 0, false, ending.ede, this.#cookie(query));
        this.#exit.finish(query, ending, question.name, question.length, detail, false);
      }
      this.#atHand = null;
    }
  }

  #rememberFailure(
    flight: Flight,
    question: Question,
    failure: StoredFailure,
    server: string,
    answer?: Answer,
  ): void {
    if (flight.beginsHere) return;
    const short = failure === 'timeout' || failure === 'unreachable';
    const ttlSeconds = short
      ? Math.min(UNREACHABLE_TTL_SECONDS_MAX, this.#limits.failureTtlSeconds)
      : this.#limits.failureTtlSeconds;
    const cell = new Cell(flight.name, flight.type, flight.variant, servfail(answer), {
      pool: flight.firstPool,
      server,
      storedAtMs: this.#clock.nowMs(),
      ttlSeconds,
      judgedBy: flight.site.policy.generation,
    });
    cell.failure = failure;
    this.#cache.store(question, cell);
  }

  #mayServeStale(cell: Cell | undefined, pool: string): boolean {
    return (
      cell !== undefined &&
      cell.failure === null &&
      cell.pool === pool &&
      this.#limits.staleSeconds > 0 &&
      this.#clock.nowMs() - cell.endsAtMs <= this.#limits.staleSeconds * 1000
    );
  }

  /** RFC 8767, and only where the policy of now still allows the name and every alias of the old answer. */
  #serveStale(query: Query, cell: Cell, held: Uint8Array | null): boolean {
    const { policy, groups } = query.site;
    const question = this.#question.set(cell.name, cell.type);
    const verdict = policy.judge(query.group, question, this.#exit.wallMs);
    if (verdict.action === 'local' || (verdict.action === 'deny' && !verdict.observed)) return false;
    const wallMs = this.#exit.wallMs;
    if (
      this.#aliases.firstBlocked(policy, query.group, verdict, cell.name, cell.type, cell, wallMs) !== null
    ) {
      return false;
    }
    const stale = cell.rcode === Rcode.NXDOMAIN ? STALE_NXDOMAIN_EDE : STALE_EDE;
    respondAnswer(query, cell, STALE_TTL_SECONDS, false, held ?? stale, this.#cookie(query));
    this.#counters.columns[held === null ? At.cacheHitsStale : At.cacheHitsHeld]++;
    const detail = this.#audit.renderDetail({
      answers: answerTexts(cell, 12 + question.length + 4, this.#secrets, cell.finding as Finding | null),
      upstream: cell.server,
      evidence: [
        held === null
          ? 'stale answer: no upstream answered'
          : 'held answer: this client tells the zone too much by the choice and order of names',
      ],
    });
    this.#exit.finish(query, groups[query.group].ending(verdict), cell.name, cell.name.length, detail, true);
    return true;
  }

  /** Answers from a cell past its time, so that the question does not leave. False when there is none that may be used. */
  serveHeld(query: Query, cell: Cell, pool: string): boolean {
    if (cell.failure !== null || cell.pool !== pool) return false;
    if (this.#clock.nowMs() - cell.storedAtMs > HELD_MS_MAX) return false;
    return this.#serveStale(query, cell, HELD_EDE);
  }

  /** Takes the next waiting query off a flight that is over. */
  #takeNext(flight: Flight): Query | null {
    if (!flight.isOver) {
      flight.isOver = true;
      this.#flights.remove(flight);
    }
    const query = flight.waiting;
    if (query === null) return null;
    flight.waiting = query.nextInFlight;
    this.#stopWaiting(query);
    // The same name in lower case: its Base64 cannot be read, and says nearly as much.
    if (query.finding === null) query.finding = flight.finding;
    this.#atHand = query;
    return query;
  }

  #end(query: Query, question: Question, name: OutcomeName): void {
    const ending = query.site.groups[query.group].outcome(name);
    respondEmpty(query, ending.rcode, ending.ede, this.#cookie(query));
    this.#exit.finish(query, ending, question.name, question.length, null, false);
  }

  #cookie(query: Query): Uint8Array {
    return this.#cookies.answer(query, this.#exit.wallMs / 1000);
  }

  answered(flight: Flight, message: Uint8Array, length: number, server: string, trusted: boolean): boolean {
    let isUsed = true;
    try {
      isUsed = this.#resume(flight, message, length, server, trusted);
    } catch (error) {
      this.#failWithBug(flight, error);
    }
    this.#settled();
    return isUsed;
  }

  failed(flight: Flight, failure: UpstreamFailure, server: string): void {
    try {
      this.#exit.wallMs = this.#clock.wallMs();
      const { unusable } = flight;
      if (failure === 'unusable' && unusable !== null)
        this.#fail(flight, failure, unusable.server, unusable.why);
      else this.#fail(flight, failure, server, failure);
    } catch (error) {
      this.#failWithBug(flight, error);
    }
    this.#settled();
  }

  /** An exception ends the flight's queries and nothing else. */
  #failWithBug(flight: Flight, error: unknown): void {
    this.#counters.columns[At.bugs]++;
    this.#onBug(error);
    const query = this.#atHand;
    this.#atHand = null;
    if (query !== null) this.#end(query, this.#question.set(flight.name, flight.type), 'bug');
    this.#fail(flight, 'unusable', flight.pool, 'internal error');
  }
}

/**
 * An alias and nothing about where it leads: an upstream that does not follow aliases itself (local data of Unbound, an
 * authoritative server). Its target is asked as a question of its own.
 */
const isLeftOpen = (answer: Answer, aliasesBefore: number): boolean =>
  answer.rcode === Rcode.NOERROR &&
  answer.negative &&
  answer.authorityCount === 0 &&
  answer.aliasCount > aliasesBefore;

/** An answer with nothing in it but SERVFAIL and what the upstream said about it. */
const servfail = (answer: Answer | undefined): Answer => ({
  rcode: Rcode.SERVFAIL,
  answerCount: 0,
  authorityCount: 0,
  body: NO_OCTETS,
  ttlAt: NO_TTLS,
  ttlSeconds: 0,
  targets: [],
  aliasCount: 0,
  complete: true,
  negative: true,
  authenticated: false,
  extendedErrors: answer?.extendedErrors ?? NO_OCTETS,
});

const NO_TTLS = new Uint16Array(0);
