/**
 * The verdicts that people see and release, in the control thread: those of the fast paths and of the slow view, each with
 * the client and the zone in words. What holds is decided by the shared memory alone; this list only knows the names for it,
 * and is kept over a restart (`verdict-list.ts`).
 */
import {
  type Block,
  createFastPath,
  type DetectMemory,
  type FastPath,
  type Verdict,
} from './detect/index.ts';
import { addressOctets } from './net/index.ts';
import type { TunnelAction } from './policy/index.ts';
import { NameError, nameOctets, nameText, Question, Rrtype } from './wire/index.ts';

/** A verdict with the texts that its keys stand for. */
export interface FoundVerdict {
  readonly verdict: Verdict;
  readonly zone: string;
  /** An address, or the /64 of an IPv6 client. */
  readonly client: string;
  readonly group: string;
  /** What its group does about it. */
  readonly action: TunnelAction;
  /** What left before, client and zone; both numbers stop at their most. */
  readonly left: { readonly queries: number; readonly octets: number };
}

/** What is worth a look and no verdict. */
export interface FoundEvent {
  /** A group asked a zone for the first time; `generated-name`: and the zone's own label looks made by an algorithm. */
  readonly event: 'new-destination' | 'generated-name';
  readonly atMs: number;
  readonly group: string;
  /** An address, or the /64 of an IPv6 client. */
  readonly client: string;
  readonly domain: string;
  /** By which the label looks made by an algorithm. */
  readonly bits: number;
}

/** A verdict as `/api` shows it; times in ISO 8601. */
export interface ShownVerdict {
  /** Null where the verdict is on a zone, whoever asks. */
  readonly client: string | null;
  /** Null where the verdict is on a client, whatever it asks. */
  readonly zone: string | null;
  readonly scope: Verdict['scope'];
  readonly rule: Verdict['rule'];
  readonly action: TunnelAction;
  readonly group: string;
  readonly queriesBefore: number;
  readonly octetsBefore: number;
  readonly state: 'held' | 'over' | 'released' | 'alert';
  readonly bits: number;
  readonly limitBits: number;
  readonly since: string;
  /** Every try prolongs a block. */
  readonly until: string;
  readonly evidence: readonly string[];
}

/** Which block to end: of a client and a zone, of a zone for all clients, or of a client for all zones. */
export interface ReleaseRequest {
  readonly client: string | null;
  readonly zone: string | null;
}

export type Released = Pick<ShownVerdict, 'client' | 'zone' | 'scope'>;

export type ReleaseOutcome =
  | { readonly ok: true; readonly released: readonly Released[]; readonly stillHeld: readonly Released[] }
  /** `status` as in HTTP: 400 for what cannot be read, 404 where nothing holds. */
  | { readonly ok: false; readonly status: 400 | 404; readonly fault: string };

/** Verdicts that are listed; the oldest makes room. */
const VERDICTS_MAX = 1000;
/** Two threads can reach the same verdict at once; a later one is new. */
const SAME_WITHIN_MS = 60_000;

interface Listed extends FoundVerdict {
  released: boolean;
  /** That it holds no more was told. */
  isOver: boolean;
}

/** A verdict as the list keeps it over a restart. */
export type KeptVerdict = Readonly<Listed>;

export class Verdicts {
  readonly #memory: DetectMemory;
  readonly #seed: number;
  #opened: FastPath | null = null;
  readonly #listed = new Map<string, Listed>();
  /** Told of each block that was ended by hand. */
  readonly #onRelease: (block: Block) => void;

  constructor(memory: DetectMemory, seed: number, onRelease: (block: Block) => void) {
    this.#memory = memory;
    this.#seed = seed;
    this.#onRelease = onRelease;
  }

  /** Opened when somebody looks: its tables take a while to make, and the start of a resolver is no time for that. */
  get #fast(): FastPath {
    this.#opened ??= createFastPath({ memory: this.#memory, seed: this.#seed });
    return this.#opened;
  }

  /** Takes a verdict into the list; false when it is there already. */
  note(found: FoundVerdict): boolean {
    const key = keyOf(found.verdict);
    const known = this.#listed.get(key);
    const isSame =
      known !== undefined &&
      !known.released &&
      found.verdict.decidedAtMs - known.verdict.decidedAtMs < SAME_WITHIN_MS;
    if (isSame) return false;
    this.#listed.delete(key);
    if (this.#listed.size === VERDICTS_MAX) this.#listed.delete(this.#listed.keys().next().value as string);
    this.#listed.set(key, { ...found, released: false, isOver: false });
    return true;
  }

  /** For `verdict-list.ts`, the oldest first. */
  get kept(): readonly KeptVerdict[] {
    return [...this.#listed.values()];
  }

  /** Takes up the list of the process before, and makes hold again what the shared memory was not in time to save. */
  restore(verdicts: readonly KeptVerdict[], nowMs: number): void {
    for (const kept of verdicts) {
      this.#listed.set(keyOf(kept.verdict), { ...kept });
      const { verdict, zone, action, released } = kept;
      if (released || verdict.untilMs <= nowMs || this.#fast.heldUntilMs(verdict) > nowMs) continue;
      if (action === 'quarantine') this.#fast.quarantine(verdict, verdict.untilMs);
      else this.#fast.apply(verdict, zone);
    }
  }

  /** Verdicts that hold no more and have not been told so. */
  takeOver(nowMs: number): Released[] {
    const over: Released[] = [];
    for (const one of this.#listed.values()) {
      if (one.isOver || one.released || this.#fast.heldUntilMs(one.verdict) > nowMs) continue;
      one.isOver = true;
      over.push(shownOf(one));
    }
    return over;
  }

  /** The newest first. */
  list(nowMs: number): ShownVerdict[] {
    return [...this.#listed.values()].reverse().map((one) => this.#show(one, nowMs));
  }

  /** Ends what holds for a client, a zone, or both. With only one of them also the listed verdicts that name it. */
  release(asked: ReleaseRequest, nowMs: number): ReleaseOutcome {
    const target = this.#read(asked);
    if ('fault' in target) return { ok: false, status: 400, fault: target.fault };
    const released: Released[] = [];
    for (const one of this.#candidates(target)) {
      if (!this.#fast.release(one.block, nowMs)) continue;
      const listed = this.#listed.get(keyOf(one.block));
      if (listed !== undefined) listed.released = true;
      this.#onRelease(one.block);
      released.push(one.shown);
    }
    const { client, zone } = target;
    const stillHeld =
      client === null || zone === null
        ? []
        : [this.#candidate('domain', null, zone), this.#candidate('client', client, null)]
            .filter(({ block }) => this.#fast.heldUntilMs(block) > nowMs)
            .map(({ shown }) => shown);
    if (released.length > 0 || stillHeld.length > 0) return { ok: true, released, stillHeld };
    const what = [client === null ? '' : `client ${client.text}`, zone === null ? '' : `zone ${zone.text}`];
    const fault = `nothing is held for ${what.filter((text) => text !== '').join(' and ')}; "sallyport verdicts" lists what is, with the zones as they are written here`;
    return { ok: false, status: 404, fault };
  }

  #read({ client, zone }: ReleaseRequest): Target | { readonly fault: string } {
    if (client === null && zone === null)
      return {
        fault:
          'what is to be released? Write a client, a zone, or both, e.g. {"client": "192.0.2.7", "zone": "example.com"}',
      };
    const octets = client === null ? null : addressOctets(client.replace(/\/64$/, ''));
    if (client !== null && octets === null)
      return { fault: `"${client}" is not an IP address; write for example 192.0.2.7` };
    try {
      const name = zone === null ? null : nameOctets(zone);
      return {
        client: client === null || octets === null ? null : { text: client, octets },
        zone:
          name === null
            ? null
            : { text: nameText(name), question: new Question(this.#seed).set(name, Rrtype.A) },
      };
    } catch (error) {
      if (error instanceof NameError) return { fault: `${error.message}; write for example example.com` };
      throw error;
    }
  }

  #candidates({ client, zone }: Target): Candidate[] {
    if (client !== null && zone !== null) return [this.#candidate('client+domain', client, zone)];
    const wanted = this.#candidate(client === null ? 'domain' : 'client', client, zone);
    // Behind a verdict that was widened to a zone or a client stands the block of the pair that reached it.
    const isMeant = ({ verdict, action }: Listed): boolean =>
      (verdict.scope === 'client+domain' || action === 'quarantine' || action === 'block-all') &&
      (client === null
        ? verdict.zoneA === wanted.block.zoneA && verdict.zoneB === wanted.block.zoneB
        : verdict.clientA === wanted.block.clientA && verdict.clientB === wanted.block.clientB);
    const pairs = [...this.#listed.values()].filter(isMeant).map((one) => ({
      block: { ...one.verdict, scope: 'client+domain' as const },
      shown: { client: one.client, zone: one.zone, scope: 'client+domain' as const },
    }));
    return [wanted, ...pairs];
  }

  #candidate(scope: Verdict['scope'], client: Target['client'], zone: Target['zone']): Candidate {
    const octets = client?.octets ?? NO_CLIENT;
    const question = zone?.question ?? new Question(this.#seed).set(ROOT, Rrtype.A);
    return {
      block: this.#fast.blockOf(scope, question, octets, octets.length),
      shown: { client: client?.text ?? null, zone: zone?.text ?? null, scope },
    };
  }

  #show({ verdict, zone, client, group, action, left, released }: Listed, nowMs: number): ShownVerdict {
    const { scope, rule, scoreBits, limitBits, decidedAtMs, untilMs, evidence } = verdict;
    const heldUntilMs = this.#fast.heldUntilMs(verdict);
    const isHeld = heldUntilMs > nowMs;
    return {
      client: scope === 'domain' ? null : client,
      zone: scope === 'client' ? null : zone,
      scope,
      rule,
      action,
      group,
      queriesBefore: left.queries,
      octetsBefore: left.octets,
      state: action === 'alert' ? 'alert' : released ? 'released' : isHeld ? 'held' : 'over',
      bits: Math.round(scoreBits),
      limitBits: Math.round(limitBits),
      since: new Date(decidedAtMs).toISOString(),
      until: new Date(isHeld ? heldUntilMs : untilMs).toISOString(),
      evidence,
    };
  }
}

interface Target {
  readonly client: { readonly text: string; readonly octets: Uint8Array } | null;
  readonly zone: { readonly text: string; readonly question: Question } | null;
}

interface Candidate {
  readonly block: Block;
  readonly shown: Released;
}

const shownOf = ({ client, zone, verdict: { scope } }: FoundVerdict): Released => ({
  client: scope === 'domain' ? null : client,
  zone: scope === 'client' ? null : zone,
  scope,
});

const ROOT = Uint8Array.of(0);
const NO_CLIENT = new Uint8Array(4);

function keyOf({ scope, clientA, clientB, zoneA, zoneB }: Block): string {
  if (scope === 'domain') return `zone ${zoneA} ${zoneB}`;
  return scope === 'client' ? `client ${clientA} ${clientB}` : `${clientA} ${clientB} ${zoneA} ${zoneB}`;
}
