/**
 * The long memory: what each client told each zone, what all clients told a zone, and what one client told all zones
 * without history, over a day and 30 days. Runs in the detector thread and is fed the charges of queries that left.
 *
 * Levels drain at the rate of their bound, so silence pays a debt no faster than the bound allows, and a sender that keeps
 * any pace above it is found sooner or later. Tables have a fixed size; see `ledger.ts` for who is given up.
 *
 *    pairs     client and zone, 28 octets: key, last, month, day, told, names, first
 *    zones     28 octets: key, last, month, form, its last, names, first
 *    clients   24 octets: key, last, month, day, first, zones
 */
import type { Action, AlarmRule, Block, Charge, Scope, Verdict } from './contract.ts';
import { PROBE_SHARE } from './forms.ts';
import { drained, LAST, Ledger, OWN, WEIGHT } from './ledger.ts';
import { BLOCK_SECONDS, DAY, LIMITS, MONTH, ORDER_BLOCK, TRUST } from './limits.ts';
import { Order } from './order.ts';

export interface SlowViewOptions {
  /** Pairs of client and zone. Default 131,072. */
  readonly pairs?: number;
  readonly zones?: number;
  readonly clients?: number;
  /** Pairs whose choice among known names is followed, default 16,384, and the questions of all of them, default 32,768. */
  readonly ordered?: number;
  readonly questions?: number;
  /** What a verdict of each scope does. Default: block. */
  readonly actions?: Partial<Record<Scope, Action>>;
  /** The state of an earlier run, as `save` gave it. */
  readonly state?: SlowState;
}

/** Structured-cloneable and plain octets: write it to disk as it is. Only valid under the seed it was made with. */
export interface SlowState {
  readonly version: 2;
  readonly pairs: Uint8Array;
  readonly zones: Uint8Array;
  readonly clients: Uint8Array;
}

/** What is told to the own network, among all that one client tells zones that nobody vouches for. */
const HOME_SHARE = 1 / 3;

/** The zone as text, or what writes it: hardly any query needs it. */
export type ZoneText = string | (() => string);
const textOf = (zone: ZoneText): string => (typeof zone === 'string' ? zone : zone());

/** Probes of so many clients are the fleet's search list. */
const PROBE_CLIENTS = 8;

const PAIR_COLUMNS = 6;
const ZONE_COLUMNS = 6;
const CLIENT_COLUMNS = 5;
const PAIR = { MONTH: WEIGHT, DAY: OWN, TOLD: 3, NAMES: 4, FIRST: 5 } as const;
const ZONE = { MONTH: WEIGHT, FORM: OWN, FORM_LAST: 3, NAMES: 4, FIRST: 5 } as const;
const CLIENT = { MONTH: WEIGHT, DAY: OWN, FIRST: 3, ZONES: 4 } as const;

export function createSlowView(options: SlowViewOptions = {}): SlowView {
  return new SlowView(options);
}

function clear({ floats }: Ledger, row: number, ...columns: number[]): void {
  if (row < 0) return;
  for (const column of columns) floats[row + column] = 0;
}

export class SlowView {
  readonly #pairs: Ledger;
  readonly #zones: Ledger;
  readonly #clients: Ledger;
  readonly #order: Order;
  readonly #actions: Record<Scope, Action>;

  constructor(options: SlowViewOptions) {
    const table = (rows: number, columns: number, state: Uint8Array | undefined): Ledger => {
      const memory = new ArrayBuffer(Ledger.octets(rows, columns));
      // A state of another size would put rows where nobody looks for them; forgetting is the honest choice.
      if (state !== undefined && state.length === memory.byteLength) new Uint8Array(memory).set(state);
      return new Ledger(memory, columns);
    };
    this.#pairs = table(options.pairs ?? 131_072, PAIR_COLUMNS, options.state?.pairs);
    this.#zones = table(options.zones ?? 65_536, ZONE_COLUMNS, options.state?.zones);
    this.#clients = table(options.clients ?? 16_384, CLIENT_COLUMNS, options.state?.clients);
    this.#order = new Order(options.ordered ?? 16_384, options.questions ?? 32_768);
    this.#actions = { 'client+domain': 'block', domain: 'block', client: 'block', ...options.actions };
  }

  /** Octets of all tables; they never grow. */
  get memory(): number {
    const tables = this.#pairs.ints.byteLength + this.#zones.ints.byteLength + this.#clients.ints.byteLength;
    return tables + this.#order.memory;
  }

  /** Takes in what one query that left has added; returns a verdict when a bound is broken, else null. `zone`: for evidence. */
  note(charge: Charge, zone: ZoneText): Verdict | null {
    const now = Math.floor(charge.nowMs / 1000);
    if (charge.bits <= 0) {
      if (charge.sharedBits > 0) this.#giveBack(charge);
      return null;
    }
    if (charge.isRepeat) return this.#noteRepeat(charge, zone, now);
    const pair = this.#notePair(charge, zone, now);
    // The owner of a known service, or of a suffix, is not whom a sender writes to.
    if (pair !== null || charge.standing === 'service' || charge.standing === 'suffix') return pair;
    if (charge.form === 'spf') return null;
    // Browsers' probes are many where the whole fleet has this search list: they have a budget for each client of the zone.
    const isFleetProbe =
      charge.form === 'probe' && (charge.standing === 'established' || charge.zoneClients >= PROBE_CLIENTS);
    if (isFleetProbe) {
      // In an established zone they were halved before they came here.
      const share = charge.standing === 'established' ? 1 : PROBE_SHARE;
      return this.#noteZone(charge, zone, now, charge.bits * share, true, LIMITS.probePerClient);
    }
    return (
      this.#noteZone(charge, zone, now, charge.bits, charge.isSharedForm, LIMITS.formPerClient) ??
      this.#noteClient(charge, zone, now)
    );
  }

  /** Forgets what was counted for a block that was ended by hand, or the next name would bring it back. */
  release(block: Block): void {
    const { scope, clientA, clientB, zoneA, zoneB } = block;
    if (scope === 'client+domain') {
      clear(this.#pairs, this.#pairs.find(clientA ^ zoneA, clientB ^ zoneB), PAIR.DAY, PAIR.MONTH);
      this.#order.clear(clientA ^ zoneA, clientB ^ zoneB);
    } else if (scope === 'domain') clear(this.#zones, this.#zones.find(zoneA, zoneB), ZONE.FORM, ZONE.MONTH);
    else clear(this.#clients, this.#clients.find(clientA, clientB), CLIENT.DAY, CLIENT.MONTH);
  }

  /** The state to keep over a restart. */
  save(): SlowState {
    const octets = (ledger: Ledger): Uint8Array => new Uint8Array(ledger.ints.buffer.slice(0) as ArrayBuffer);
    return {
      version: 2,
      pairs: octets(this.#pairs),
      zones: octets(this.#zones),
      clients: octets(this.#clients),
    };
  }

  #notePair(charge: Charge, zone: ZoneText, now: number): Verdict | null {
    const { ints, floats } = this.#pairs;
    const row = this.#pairs.open(charge.clientA ^ charge.zoneA, charge.clientB ^ charge.zoneB, now);
    // What a zone is told by all clients has no such multiple, so a sender who makes a zone look like home gains a day.
    const trust = charge.isHome ? Math.max(charge.trust, TRUST.home) : charge.trust;
    const dayLimit = LIMITS.day * trust * (charge.isSharedForm ? TRUST.sharedFormDay : 1);
    const monthLimit = LIMITS.month * trust;
    const elapsed = now - ints[row + LAST];
    if (ints[row + PAIR.FIRST] === 0) ints[row + PAIR.FIRST] = now;
    const day = drained(floats[row + PAIR.DAY], elapsed, dayLimit, DAY) + charge.bits;
    const month = drained(floats[row + PAIR.MONTH], elapsed, monthLimit, MONTH) + charge.bits;
    floats[row + PAIR.DAY] = day;
    floats[row + PAIR.MONTH] = month;
    ints[row + PAIR.NAMES]++;
    ints[row + LAST] = now;
    if (day < dayLimit && month < monthLimit) return null;
    const rule: AlarmRule = day >= dayLimit ? 'day' : 'month';
    const score = rule === 'day' ? day : month;
    const limit = rule === 'day' ? dayLimit : monthLimit;
    return this.#decide('client+domain', rule, charge, score, limit, ints[row + PAIR.FIRST], [
      `In ${rule === 'day' ? 'a day' : '30 days'} this client told ${textOf(zone)} about ${Math.round(score)} bits in ${ints[row + PAIR.NAMES]} new names; ${Math.round(limit)} are ordinary.`,
    ]);
  }

  /**
   * Asking known names again says which of them, in which order. Beyond the bound, answers are held: known questions are answered
   * from what is kept until the level has drained, so nothing is denied to an application that asks its names without
   * end. Only what needs more fresh answers than that, such as a code book of hundreds of names, is blocked.
   */
  #noteRepeat(charge: Charge, zone: ZoneText, now: number): Verdict | null {
    const order = this.#order;
    order.note(charge.clientA ^ charge.zoneA, charge.clientB ^ charge.zoneB, charge.symbol, now);
    const { level } = order;
    if (level < LIMITS.order) return null;
    const evidence = [
      `In a day this client told ${textOf(zone)} about ${Math.round(level)} bits by the choice and order of ${order.questions} questions it had asked before; ${LIMITS.order} are ordinary. Answers were kept for it longer than their TTL, and it asked for more.`,
    ];
    const bits = [level, LIMITS.order] as const;
    if (level >= LIMITS.order * ORDER_BLOCK) {
      order.clear(charge.clientA ^ charge.zoneA, charge.clientB ^ charge.zoneB);
      return this.#decide('client+domain', 'order', charge, ...bits, now, evidence);
    }
    const verdict = this.#decide('client+domain', 'order', charge, ...bits, now, evidence);
    const heldSeconds = Math.ceil(((level - LIMITS.order) / LIMITS.order) * DAY);
    return { ...verdict, action: 'hold', untilMs: (now + heldSeconds) * 1000 };
  }

  /** `isForm`: the names have a form that several clients use; they have a day and `perClient` bits for each client. */
  #noteZone(
    charge: Charge,
    zone: ZoneText,
    now: number,
    bits: number,
    isForm: boolean,
    perClient: number,
  ): Verdict | null {
    const { ints, floats } = this.#zones;
    const row = this.#zones.open(charge.zoneA, charge.zoneB, now);
    const elapsed = now - ints[row + LAST];
    if (ints[row + ZONE.FIRST] === 0) ints[row + ZONE.FIRST] = now;
    const factor = charge.standing === 'popular' ? 4 * charge.trust : charge.trust;
    const formLimit = LIMITS.form * factor + perClient * charge.zoneClients;
    const monthLimit = LIMITS.domain * factor + LIMITS.domainPerClient * charge.zoneClients;
    // One bound or the other: names of one form from many clients have a day, all others 30 days.
    if (isForm)
      floats[row + ZONE.FORM] =
        drained(floats[row + ZONE.FORM], now - ints[row + ZONE.FORM_LAST], formLimit, DAY) + bits;
    if (isForm) ints[row + ZONE.FORM_LAST] = now;
    else floats[row + ZONE.MONTH] = drained(floats[row + ZONE.MONTH], elapsed, monthLimit, MONTH) + bits;
    ints[row + ZONE.NAMES]++;
    ints[row + LAST] = now;
    const score = isForm ? floats[row + ZONE.FORM] : floats[row + ZONE.MONTH];
    const limit = isForm ? formLimit : monthLimit;
    if (score < limit) return null;
    return this.#decide('domain', isForm ? 'form' : 'domain', charge, score, limit, ints[row + ZONE.FIRST], [
      `In ${isForm ? 'a day' : '30 days'} all clients together told ${textOf(zone)} about ${Math.round(score)} bits that no two of them share, in ${ints[row + ZONE.NAMES]} new names; ${Math.round(limit)} are ordinary for a zone that about ${charge.zoneClients} clients ask.`,
    ]);
  }

  /** A name that a second client asks was no secret of the first. */
  #giveBack(charge: Charge): void {
    const { floats } = this.#zones;
    const row = this.#zones.find(charge.zoneA, charge.zoneB);
    if (row < 0) return;
    floats[row + ZONE.MONTH] = Math.max(0, floats[row + ZONE.MONTH] - charge.sharedBits);
    floats[row + ZONE.FORM] = Math.max(0, floats[row + ZONE.FORM] - charge.sharedBits);
  }

  #noteClient(charge: Charge, zone: ZoneText, now: number): Verdict | null {
    if (charge.standing === 'popular' || charge.isSharedForm) return null;
    // Each zone has a little free, or a morning of ordinary browsing would look like one transfer. What strangers share
    // has nothing free: names there cost a sender nothing.
    const ordinary =
      charge.form === 'plain' || charge.form === 'probe' ? LIMITS.freePerZone : LIMITS.freePerZoneKnownForm;
    const free = charge.standing === 'shared' ? 0 : ordinary;
    const pair = this.#pairs.open(charge.clientA ^ charge.zoneA, charge.clientB ^ charge.zoneB, now);
    const told = this.#pairs.floats[pair + PAIR.TOLD] + charge.bits;
    this.#pairs.floats[pair + PAIR.TOLD] = told;
    const isNewZone = told === charge.bits;
    // Three clients at least take what is home for theirs, and a zone of all clients has its own bound.
    const beyond = Math.min(charge.bits, told - free) * (charge.isHome ? HOME_SHARE : 1);
    if (beyond <= 0 && !isNewZone) return null;
    const { ints, floats } = this.#clients;
    const row = this.#clients.open(charge.clientA, charge.clientB, now);
    const elapsed = now - ints[row + LAST];
    ints[row + LAST] = now;
    // A forwarder speaks for many: each zone its clients ask adds a little to what is ordinary.
    const zones = floats[row + CLIENT.ZONES] * Math.max(0, 1 - elapsed / MONTH) + (isNewZone ? 1 : 0);
    floats[row + CLIENT.ZONES] = zones;
    const dayLimit = LIMITS.client + LIMITS.clientPerZone * zones;
    const monthLimit = LIMITS.clientMonth + 5 * LIMITS.clientPerZone * zones;
    if (ints[row + CLIENT.FIRST] === 0) ints[row + CLIENT.FIRST] = now;
    const day = drained(floats[row + CLIENT.DAY], elapsed, dayLimit, DAY) + Math.max(0, beyond);
    const month = drained(floats[row + CLIENT.MONTH], elapsed, monthLimit, MONTH) + Math.max(0, beyond);
    floats[row + CLIENT.DAY] = day;
    floats[row + CLIENT.MONTH] = month;
    if (day < dayLimit && month < monthLimit) return null;
    const isDay = day >= dayLimit;
    // Where one zone made most of it, that zone is the matter, and the rest of the client's queries are not.
    const scope: Scope = told - free > (isDay ? day : month) / 2 ? 'client+domain' : 'client';
    if (scope === 'client+domain') {
      // That zone has its verdict now; the next query to another one must not pay for it again.
      floats[row + CLIENT.DAY] = Math.max(0, day - (told - free));
      floats[row + CLIENT.MONTH] = Math.max(0, month - (told - free));
    }
    return this.#decide(
      scope,
      'client',
      charge,
      isDay ? day : month,
      isDay ? dayLimit : monthLimit,
      ints[row + CLIENT.FIRST],
      [
        `In ${isDay ? 'a day' : '30 days'} this client told zones that nobody vouches for about ${Math.round(isDay ? day : month)} bits beyond what each has free${scope === 'client' ? `, spread over several; the last was ${textOf(zone)}` : `, most of it ${textOf(zone)}`}.`,
      ],
    );
  }

  #decide(
    scope: Scope,
    rule: AlarmRule,
    charge: Charge,
    scoreBits: number,
    limitBits: number,
    first: number,
    evidence: string[],
  ): Verdict {
    evidence.push(
      charge.standing === 'stranger'
        ? `The zone has no history here: about ${charge.zoneClients} clients ask it.`
        : `The zone is known here (${charge.trust} times the ordinary budget): about ${charge.zoneClients} clients ask it.`,
    );
    if (charge.isSharedForm && rule !== 'order')
      evidence.push(
        'Several clients ask it names of one form, as clients of a lookup service or devices of one vendor do: if you know it as that, give its rule profile: off.',
      );
    return {
      scope,
      action: this.#actions[scope],
      rule,
      clientA: charge.clientA,
      clientB: charge.clientB,
      zoneA: charge.zoneA,
      zoneB: charge.zoneB,
      scoreBits,
      limitBits,
      firstSeenMs: first * 1000,
      decidedAtMs: charge.nowMs,
      untilMs: charge.nowMs + BLOCK_SECONDS * 1000,
      evidence,
    };
  }
}
