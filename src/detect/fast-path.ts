/**
 * The test of one query, in the worker, after the policy and before anything leaves: synchronous, no object unless it
 * raises an alarm.
 *
 * A name that carries an unmistakable payload is held at once. Otherwise what it adds is charged to its client and zone;
 * the budget of an hour drains slowly, is shared by all workers, and is spent after a few loud names.
 */
import { nameText, Question } from '../wire/index.ts';
import { Alarms } from './alarms.ts';
import { ANSWER_MIN, freeText, isFreeTextType, repeatShare } from './answers.ts';
import { newCharge } from './charge.ts';
import { Content } from './content.ts';
import type { Alarm, AlarmRule, Block, Charge, Profile, Scope, Standing, Verdict } from './contract.ts';
import { Destinations } from './destinations.ts';
import { countedSentence, leftSentence, standingSentence } from './evidence.ts';
import { bitsShare, dataShare, formOf, isHomeForm } from './forms.ts';
import {
  asBlock,
  Blocks,
  blockedUntil,
  heldUntil,
  pairKeyA,
  pairKeyB,
  spread,
  zoneKeyA,
  zoneKeyB,
} from './keys.ts';
import { LAST, Ledger } from './ledger.ts';
import {
  BLOCK_SECONDS,
  DAY,
  FREE_TEXT_WEIGHT,
  HOUR,
  LIMITS,
  RAPID_BITS,
  RAPID_SECONDS,
  RAPID_WEIGHT,
  TRUST,
} from './limits.ts';
import {
  CLIENT,
  CLIENT_COLUMNS,
  createDetectMemory,
  type DetectMemory,
  LEFT_OCTETS_MAX,
  LEFT_QUERIES_MAX,
  PAIR,
  PAIR_COLUMNS,
  ZONE,
} from './memory.ts';
import type { Service } from './profiles/services.ts';
import { Quarantine, Throttle } from './restraint.ts';
import { Seen } from './seen.ts';
import { ZoneRows } from './zone-rows.ts';
import { Zones } from './zones.ts';

export interface FastPathOptions {
  /** Seed of the questions that will be checked; the same in every thread that shares `memory`. */
  readonly seed: number;
  readonly memory?: DetectMemory;
  /** Replaces the shipped table of known services. */
  readonly services?: readonly Service[];
  /** How names and zones are written into evidence; default: as they are. */
  readonly nameText?: (name: Uint8Array, at?: number) => string;
}

export interface FastPathCounters {
  checked: number;
  alarms: number;
  /** Denied because a verdict holds. */
  blocked: number;
}

export const createFastPath = (options: FastPathOptions): FastPath => new FastPath(options);

/**
 * Bits an octet of a name is given back at when another client asks it: four times what a random one would have cost. Where one
 * name in five is asked again by others it is a service that they look things up in; two clients of a sender can do as much, but
 * they could take this bound away at any price, and their own bounds stay.
 */
const SHARED_BITS = 18;

export class FastPath {
  readonly counters: FastPathCounters = { checked: 0, alarms: 0, blocked: 0 };
  /** What the last `check` found; handed to the slow view for queries that left. */
  readonly charge: Charge = newCharge();
  readonly #zones: Zones;
  readonly #content: Content;
  readonly #pairs: Ledger;
  readonly #zoneRows: ZoneRows;
  readonly #clients: Ledger;
  readonly #blocks: Blocks;
  readonly #destinations: Destinations;
  readonly #quarantine: Quarantine;
  readonly #throttle: Throttle;
  readonly #alarms = new Alarms();
  #question: Question;
  #blockSeconds = BLOCK_SECONDS;
  #pairA = 0;
  #pairB = 0;
  #zoneLabel = 0;

  readonly #nameText: (name: Uint8Array, at?: number) => string;

  constructor(options: FastPathOptions) {
    this.#nameText = options.nameText ?? nameText;
    const memory = options.memory ?? createDetectMemory();
    this.#zones = new Zones(options.seed, options.services);
    this.#content = new Content(new Seen(memory.seen), options.seed, (hash) => this.#zones.standingOf(hash));
    this.#pairs = new Ledger(memory.pairs, PAIR_COLUMNS);
    this.#zoneRows = new ZoneRows(memory.zones);
    this.#clients = new Ledger(memory.clients, CLIENT_COLUMNS);
    this.#blocks = new Blocks(this.#pairs, this.#zoneRows, this.#clients);
    this.#destinations = new Destinations(memory.destinations);
    this.#quarantine = new Quarantine(memory.quarantine);
    this.#throttle = new Throttle(memory.throttle);
    this.#question = new Question(options.seed);
  }

  /**
   * Whether this query must not leave. `client[0 … clientLength)`: 4 or 16 octets. `nowMs`: wall clock, milliseconds since
   * 1970. A query that passes is charged and its words are learnt. `blockSeconds`: how long a block holds after the last
   * query that it stops.
   */
  check(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    nowMs: number,
    profile: Profile,
    blockSeconds = BLOCK_SECONDS,
  ): Alarm | null {
    this.counters.checked++;
    this.#blockSeconds = blockSeconds;
    const { charge } = this;
    const now = Math.floor(nowMs / 1000);
    charge.nowMs = nowMs;
    charge.type = question.type;
    charge.denied = false;
    charge.bits = 0;
    charge.payloadBits = 0;
    charge.octets = 0;
    charge.sharedBits = 0;
    charge.isRepeat = false;
    charge.isNewZone = false;
    charge.generatedBits = 0;
    this.#locate(question, client, clientLength);
    const day = Math.floor(now / DAY);
    if (profile === 'off') return null;
    if (this.#zoneLabel <= 0) {
      // A name without labels below its zone tells the zone's owner nothing.
      charge.trust = 1;
      return null;
    }
    const zone = this.#zoneRows.open(charge.zoneA, charge.zoneB, now);
    const pair = this.#pairs.open(this.#pairA, this.#pairB, now);
    const zones = this.#zoneRows.ints;
    const pairs = this.#pairs.ints;

    if (blockedUntil(pairs[pair + PAIR.BLOCKED]) > now)
      return this.#blocked('client+domain', pairs, pair + PAIR.BLOCKED, now);
    if (zones[zone + ZONE.BLOCKED] > now) return this.#blocked('domain', zones, zone + ZONE.BLOCKED, now);
    const content = this.#content;
    const kind = this.#zones.service?.service.kind;
    if (kind === 'reputation' || kind === 'blocklist') content.skim(question, this.#zoneLabel);
    else {
      const words = this.#zoneRows.wordsOf(zone);
      content.read(question, this.#zoneLabel, charge.zoneA, words, charge.clientA, day);
    }
    if (this.#zoneRows.noteClient(zone, charge.clientA, now)) {
      charge.isNewZone = true;
      // The owner's own label is the first of the zone: random where an algorithm made the domain.
      content.weighLabel(question.name, this.#zoneAt(question));
      charge.generatedBits = content.labelBits;
    }
    this.#zoneRows.judge(zone, now, profile, this.#zones, this.#zoneLabel, content.shape, charge);
    const { loudTrust } = this.#zoneRows;
    charge.octets = content.octets;
    charge.bits = content.bits;
    if (content.isRepeat && (isUnknown(charge.standing) || kind === 'reverse' || kind === 'reverse6')) {
      charge.isRepeat = true;
      charge.symbol = spread(content.nameHash ^ Math.imul(question.type, 0x9e3779b1));
      charge.bits = 1;
    }
    charge.shape = content.shape;
    const form = formOf(question, content);
    charge.form = form;
    const share = dataShare(form, question, content);
    charge.bits *= bitsShare(form, charge.standing);
    if (isHomeForm(form, content, question)) this.#zoneRows.noteHome(zone, charge.clientA);

    if (isUnknown(charge.standing) && content.bits >= 16 && form === 'plain') {
      const row = this.#clients.find(charge.clientA, charge.clientB);
      if (row >= 0 && this.#clients.ints[row + CLIENT.BLOCKED] > now)
        return this.#blocked('client', this.#clients.ints, row + CLIENT.BLOCKED, now);
    }

    const levels = this.#pairs.floats;
    // A clock that was set back drains nothing.
    const elapsed = Math.max(0, now - pairs[pair + LAST]);
    // A morning in the own network is full of names: one of them may say no more than others, but there may be more.
    const burstLimit = LIMITS.burst * (charge.isHome ? Math.max(loudTrust, TRUST.home) : loudTrust);
    // Drained here and not by a function: where one is not inlined, the engine boxes what it returns.
    let level = levels[pair + PAIR.BURST];
    if (level > 0) level = Math.max(0, level - (elapsed * burstLimit) / HOUR);
    let payload = content.payload * share;
    const nameLimit = LIMITS.name * (kind === 'local' ? TRUST.localName : loudTrust);
    if (payload >= nameLimit) return this.#raise('name', question, pair, now, payload, nameLimit);
    if (charge.standing !== 'service' && share === 1 && payload >= RAPID_BITS) {
      if (level >= RAPID_BITS && elapsed <= RAPID_SECONDS) payload *= RAPID_WEIGHT;
      if (form === 'plain' && isFreeTextType(question.type)) payload *= FREE_TEXT_WEIGHT;
    }
    charge.payloadBits = payload;
    if (payload > 0 && level + payload >= burstLimit)
      return this.#raise('burst', question, pair, now, level + payload, burstLimit);
    levels[pair + PAIR.BURST] = level + payload;
    const down = levels[pair + PAIR.DOWN];
    if (down > 0)
      levels[pair + PAIR.DOWN] = Math.max(0, down - (elapsed * LIMITS.download * loudTrust) / HOUR);
    pairs[pair + LAST] = now;
    pairs[pair + PAIR.LEFT] = leftAfter(pairs[pair + PAIR.LEFT], content.octets);
    if (content.isNewName || content.isShared) {
      if (content.isShared) charge.sharedBits = content.octets * SHARED_BITS;
      this.#zoneRows.noteWords(zone, content.learn(day));
      this.#zoneRows.noteForm(zone, content.shape, charge.clientA);
    }
    zones[zone + LAST] = now;
    return null;
  }

  /** Whether known questions of this client below this zone are to be answered from what is kept. */
  holds(question: Question, client: Uint8Array, clientLength: number, nowMs: number): boolean {
    this.#locate(question, client, clientLength);
    if (this.#zoneLabel <= 0) return false;
    const row = this.#pairs.find(this.#pairA, this.#pairB);
    return row >= 0 && heldUntil(this.#pairs.ints[row + PAIR.BLOCKED]) * 1000 > nowMs;
  }

  /**
   * Learns from the answer of a query that left. `octets`: of the response. Returns an alarm when the answers of the last
   * hour carried too much; this answer has then already come, and the next query is held.
   */
  observe(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    nowMs: number,
    profile: Profile,
    rcode: number,
    octets: number,
    distinctAnswers: number,
    blockSeconds = BLOCK_SECONDS,
  ): Alarm | null {
    this.#blockSeconds = blockSeconds;
    if (profile === 'off' || rcode > 3 || octets <= ANSWER_MIN) return null;
    this.#locate(question, client, clientLength);
    if (this.#zoneLabel < 0) return null;
    const now = Math.floor(nowMs / 1000);
    const isApex = this.#zoneLabel === 0;
    let carried = freeText(question, octets, distinctAnswers, isApex);
    if (carried <= 0) return null;
    // An answer that is fetched again when it has run out is the same one nearly always.
    if (this.#content.hadAnswer(question, this.charge.clientA, Math.floor(now / DAY))) {
      carried *= repeatShare(question.type, isApex);
    }
    const zone = this.#zoneRows.open(this.charge.zoneA, this.charge.zoneB, now);
    this.#zoneRows.judge(zone, now, profile, this.#zones, this.#zoneLabel, 0, this.charge);
    const pair = this.#pairs.open(this.#pairA, this.#pairB, now);
    const levels = this.#pairs.floats;
    levels[pair + PAIR.DOWN] += carried;
    const limit = LIMITS.download * this.#zoneRows.loudTrust;
    if (levels[pair + PAIR.DOWN] < limit || blockedUntil(this.#pairs.ints[pair + PAIR.BLOCKED]) > now)
      return null;
    return this.#raise('download', question, pair, now, levels[pair + PAIR.DOWN], limit);
  }

  /** Presentation form of the zone that the last `check` or `observe` of this question held to account. */
  zoneText(question: Question): string {
    return this.#nameText(question.name, this.#zoneAt(question));
  }

  /** Makes a verdict of the slow view hold. Alerts change nothing here. */
  apply(verdict: Verdict, zone: string): void {
    const now = Math.floor(verdict.decidedAtMs / 1000);
    const until = Math.floor(verdict.untilMs / 1000);
    if (verdict.action === 'hold') this.#blocks.hold(verdict, now, until);
    if (verdict.action !== 'block') return;
    const { rule, scope, scoreBits, limitBits, untilMs, evidence } = verdict;
    this.#blocks.set(verdict, now, until);
    this.#alarms.keep(verdict, { rule, scope, zone, scoreBits, limitBits, untilMs, evidence });
  }

  /** Ends a block by hand, and with it the debt of the last hour; false when there was none. */
  release(block: Block, nowMs: number): boolean {
    const now = nowMs / 1000;
    this.#alarms.forget(block.scope, block);
    const wasApart = block.scope === 'client' && this.#quarantine.release(block.clientA, block.clientB, now);
    return this.#blocks.release(block, now) || wasApart;
  }

  /** Puts the client of a verdict in quarantine; the verdict's zones are none of it. */
  quarantine({ clientA, clientB }: Pick<Block, 'clientA' | 'clientB'>, untilMs: number): void {
    this.#quarantine.add(clientA, clientB, Math.floor(untilMs / 1000));
  }

  /** Until when this client is in quarantine, milliseconds since 1970; 0 when it is not. Asked with every query. */
  quarantinedUntilMs(question: Question, client: Uint8Array, clientLength: number, nowMs: number): number {
    const now = nowMs / 1000;
    if (!this.#quarantine.isInForce(now)) return 0;
    this.#locateClient(client, clientLength, question.seed);
    const until = this.#quarantine.untilOf(this.charge.clientA, this.charge.clientB);
    return until > now ? until * 1000 : 0;
  }

  /** After an alarm: whether its client may have this name all the same, at most so many a minute. */
  allowsThrottled(nowMs: number, namesPerMinute: number): boolean {
    return this.#throttle.take(this.#pairA, this.#pairB, nowMs / 1000, namesPerMinute);
  }

  /**
   * After a `check` that let the question pass: bits by which its zone looks made by an algorithm when this group asks it
   * for the first time, −1 when it has asked it before. `group`: a hash of its name.
   */
  firstAsked(question: Question, group: number, nowMs: number, learnSeconds: number): number {
    const { zoneA, zoneB } = this.charge;
    const now = Math.floor(nowMs / 1000);
    if (!this.#destinations.isNew(group, zoneA, zoneB, now, learnSeconds)) return -1;
    const zones = this.#zones;
    // Tenants' names are made by algorithms of their landlords, and popular domains are known to everybody.
    if (zones.service !== null || zones.isShared || zones.isPopular) return 0;
    this.#content.weighLabel(question.name, this.#zoneAt(question));
    return this.#content.labelBits;
  }

  /** Queries and octets of names that left before, by client and zone; both stop at their most (`memory.ts`). */
  leftOf(block: Block): { readonly queries: number; readonly octets: number } {
    const row = this.#pairs.find(pairKeyA(block), pairKeyB(block));
    const left = row < 0 ? 0 : this.#pairs.ints[row + PAIR.LEFT];
    return { queries: left >>> 20, octets: left & LEFT_OCTETS_MAX };
  }

  /** Until when this block holds, or held; 0 when there is none. Every try prolongs it. */
  heldUntilMs(block: Block): number {
    const apart = block.scope === 'client' ? this.#quarantine.untilOf(block.clientA, block.clientB) : 0;
    return Math.max(this.#blocks.untilOf(block), apart) * 1000;
  }

  /**
   * The block of `scope` on a client (4 or 16 octets) and a zone, for who has only their texts. `zone`: a question for the
   * zone itself, under the seed of this fast path.
   */
  blockOf(scope: Scope, zone: Question, client: Uint8Array, clientLength: number): Block {
    this.#locateClient(client, clientLength, zone.seed);
    const { clientA, clientB } = this.charge;
    return {
      scope,
      clientA,
      clientB,
      zoneA: zoneKeyA(zone.suffixHash[0]),
      zoneB: zoneKeyB(zone.suffixHash[0]),
    };
  }

  /** Where the zone stands in the name. */
  #zoneAt(question: Question): number {
    const label = this.#zoneLabel;
    return label >= question.labelCount ? question.length - 1 : question.labelAt[Math.max(0, label)];
  }

  /** Finds zone and keys. `#zoneLabel` is the number of labels below the zone; −1 when nobody is held to account. */
  #locate(question: Question, client: Uint8Array, clientLength: number): void {
    const { charge } = this;
    const zones = this.#zones;
    zones.read(question);
    let below = question.labelCount - zones.zoneLabels;
    // A tenant without labels of its own below: its name is what is told, and the suffix is where.
    if (below <= 0 && zones.isShared && question.labelCount > zones.suffixLabels)
      below = question.labelCount - zones.suffixLabels;
    // A name of one label is a question to the root.
    if (question.labelCount <= 1) below = -1;
    this.#zoneLabel = below;
    this.#locateClient(client, clientLength, question.seed);
    const zoneHash = question.suffixHash[Math.max(0, below)];
    charge.zoneA = zoneKeyA(zoneHash);
    charge.zoneB = zoneKeyB(zoneHash);
    this.#pairA = pairKeyA(charge);
    this.#pairB = pairKeyB(charge);
    this.#question = question;
  }

  #locateClient(client: Uint8Array, clientLength: number, seed: number): void {
    let a = 0x1b873593;
    let b = 0x5bd1e995;
    const length = clientLength === 16 ? 8 : clientLength;
    for (let i = 0; i < length; i++) {
      a = Math.imul(a ^ client[i], 0x01000193);
      b = Math.imul(b + client[i], 0x85ebca6b) ^ (b >>> 13);
    }
    this.charge.clientA = spread(a ^ seed);
    this.charge.clientB = spread(b ^ seed);
  }

  #raise(
    rule: AlarmRule,
    question: Question,
    pair: number,
    now: number,
    score: number,
    limit: number,
  ): Alarm {
    this.counters.alarms++;
    this.charge.denied = true;
    const until = asBlock(now + this.#blockSeconds);
    const pairs = this.#pairs.ints;
    const zone = this.#nameText(question.name, this.#zoneAt(question));
    const alarm: Alarm = {
      rule,
      scope: 'client+domain',
      zone,
      scoreBits: score,
      limitBits: limit,
      untilMs: until * 1000,
      evidence: [
        countedSentence(rule, this.#nameText(question.name), this.#content, score, limit, zone),
        leftSentence(pairs[pair + PAIR.LEFT], zone),
        standingSentence(this.charge, this.#zones, zone),
      ],
    };
    pairs[pair + PAIR.BLOCKED] = until;
    pairs[pair + LAST] = now;
    this.#pairs.floats[pair + PAIR.BURST] = Math.max(score, LIMITS.burst);
    return this.#alarms.keep(this.charge, alarm);
  }

  /**
   * The alarm of a block that holds; made anew when it was raised by another worker. Whoever goes on is not released: a
   * block ends when it was not tried for as long as it holds.
   */
  #blocked(scope: Scope, columns: Int32Array, at: number, now: number): Alarm {
    const until = Math.max(columns[at], asBlock(now + this.#blockSeconds));
    columns[at] = until;
    this.counters.blocked++;
    this.charge.denied = true;
    const known = this.#alarms.find(scope, this.charge);
    if (known !== undefined) return known;
    const question = this.#question;
    const zone = this.#nameText(question.name, this.#zoneAt(question));
    const alarm: Alarm = {
      rule: scope === 'domain' ? 'domain' : scope === 'client' ? 'client' : 'burst',
      scope,
      zone,
      scoreBits: 0,
      limitBits: 0,
      untilMs: until * 1000,
      evidence: [`A verdict on ${zone} holds until ${new Date(until * 1000).toISOString()}.`],
    };
    return this.#alarms.keep(this.charge, alarm);
  }
}

/** Queries and octets that left, counted on; both stop at their most. */
function leftAfter(left: number, octets: number): number {
  const queries = Math.min(LEFT_QUERIES_MAX, (left >>> 20) + 1);
  const sum = Math.min(LEFT_OCTETS_MAX, (left & LEFT_OCTETS_MAX) + octets);
  return (queries << 20) | sum;
}

/** Nobody vouches for the zone: neither a profile, nor popularity, nor the owner of a suffix. */
const isUnknown = (standing: Standing): boolean =>
  standing === 'stranger' || standing === 'established' || standing === 'shared';
