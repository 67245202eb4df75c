/**
 * The detector as a data thread uses it: the fast path in its own memory shared with the other threads, and the charges
 * of what left on their way to the detector thread.
 *
 * Charges travel in batches, and only those that charge anything. A batch that is full before it is sent drops the rest and counts them:
 * the fast path has judged those names already, and the data plane never waits for the slow view.
 */
import type { MessagePort } from 'node:worker_threads';
import {
  type Block,
  type Charge,
  createFastPath,
  type Alarm as DetectAlarm,
  type DetectMemory,
  type FastPath,
  type Verdict,
} from './detect/index.ts';
import { addressText } from './net/index.ts';
import type { Alarm, Detector, DetectorProfile, TunnelResponse } from './query/index.ts';
import { effectOf } from './tunnel-effect.ts';
import type { FoundEvent, FoundVerdict } from './verdicts.ts';
import type { Question } from './wire/index.ts';

/** Charges of one batch at most; at one batch in 50 ms that is 80,000 a second and thread. */
const BATCH_LENGTH_MAX = 4096;
const SEND_EVERY_MS = 50;
/** Bits from which a domain's own label looks made by an algorithm. */
const GENERATED_BITS = 40;
/** Events told in a second at most. */
const EVENTS_PER_SECOND = 20;
/** Verdicts told in a second at most: forged clients can reach one with every query. */
const VERDICTS_PER_SECOND = 50;
const IPV6_LENGTH = 16;
const CLIENT_TEXTS_MAX = 4096;

/** What a data thread sends to the detector thread. */
export type ChargeBatch = readonly ChargeOf[];

interface ChargeOf {
  readonly charge: Charge;
  readonly zone: string;
  readonly client: string;
  readonly response: TunnelResponse;
}

/** What the detector thread sends to a data thread. */
export type ToThread =
  | { readonly verdict: Verdict; readonly zone: string }
  /** A block that was ended by hand: its evidence is not shown again. */
  | { readonly release: Block };

export interface ThreadDetectorOptions {
  readonly memory: DetectMemory;
  /** Of all hashes over names and addresses. */
  readonly seed: number;
  /** For rules that name none. */
  readonly profile: DetectorProfile;
  /** To the detector thread. */
  readonly port: MessagePort;
  /** Names as they may be written into evidence. */
  readonly nameText: (name: Uint8Array, at?: number) => string;
  /** Told of each verdict of the fast path, once, when it is reached; never for the queries that it denies later. */
  readonly onVerdict: (found: FoundVerdict) => void;
  /** Destinations are learnt for so long before new ones are told; null: they never are. */
  readonly learnSeconds: number | null;
  readonly onEvent: (event: FoundEvent) => void;
}

export class ThreadDetector implements Detector {
  readonly #fast: FastPath;
  #port: MessagePort;
  readonly #defaultProfile: DetectorProfile;
  readonly #onVerdict: (found: FoundVerdict) => void;
  readonly #onEvent: (event: FoundEvent) => void;
  readonly #learnSeconds: number | null;
  #batch: ChargeOf[] = [];
  readonly #timer: NodeJS.Timeout;
  /** Charges that found their batch full, and verdicts beyond what is told in a second. Both hold all the same. */
  dropped = 0;
  readonly #clientTexts = new Map<number, string>();
  /** Names that `throttle` let pass. */
  throttled = 0;
  /** Verdicts reached here, by what is done about them. */
  readonly verdicts = { alert: 0, throttle: 0, block: 0, 'block-all': 0, quarantine: 0 };
  /** Events told, by kind, and those beyond what is told in a second. */
  readonly events = { 'new-destination': 0, 'generated-name': 0, untold: 0 };
  #eventSecond = 0;
  #eventCount = 0;
  #toldSecond = 0;
  #toldCount = 0;

  constructor(options: ThreadDetectorOptions) {
    const { memory, seed, profile, port, nameText, onVerdict, onEvent, learnSeconds } = options;
    this.#fast = createFastPath({ memory, seed, nameText });
    this.#port = port;
    this.#defaultProfile = profile;
    this.#onVerdict = onVerdict;
    this.#onEvent = onEvent;
    this.#learnSeconds = learnSeconds;
    this.#timer = setInterval(() => this.#send(), SEND_EVERY_MS);
    this.#timer.unref();
    this.#listen();
  }

  /** The detector thread was started anew and is reached through this port. */
  reconnect(port: MessagePort): void {
    this.#port.close();
    this.#port = port;
    this.#listen();
  }

  #listen(): void {
    this.#port.on('message', (message: ToThread) => {
      if ('verdict' in message) this.#fast.apply(message.verdict, message.zone);
      else this.#fast.release(message.release, Date.now());
    });
    this.#port.unref();
  }

  get counters(): { readonly checked: number; readonly alarms: number; readonly blocked: number } {
    return this.#fast.counters;
  }

  check(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    profile: DetectorProfile,
    response: TunnelResponse,
    nowMs: number,
  ): Alarm | null {
    const fast = this.#fast;
    const { alarms } = fast.counters;
    const alarm = fast.check(
      question,
      client,
      clientLength,
      nowMs,
      this.#profileOf(profile),
      response.holdSeconds,
    );
    const { charge } = fast;
    if (alarm === null) {
      if (charge.bits > 0 || charge.sharedBits > 0)
        this.#keep(charge, question, this.#clientText(client, clientLength), response);
      this.#noteDestination(question, client, clientLength, response, nowMs);
    } else if (fast.counters.alarms > alarms) {
      this.#tell(alarm, this.#clientText(client, clientLength), response, nowMs);
    }
    return alarm;
  }

  #noteDestination(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    { group, groupKey }: TunnelResponse,
    nowMs: number,
  ): void {
    if (this.#learnSeconds === null) return;
    const bits = this.#fast.firstAsked(question, groupKey, nowMs, this.#learnSeconds);
    if (bits < 0) return;
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#eventSecond) {
      this.#eventSecond = second;
      this.#eventCount = 0;
    }
    if (this.#eventCount === EVENTS_PER_SECOND) {
      this.events.untold++;
      return;
    }
    this.#eventCount++;
    const event = bits >= GENERATED_BITS ? 'generated-name' : 'new-destination';
    this.events[event]++;
    const domain = this.#fast.zoneText(question);
    this.#onEvent({
      event,
      atMs: nowMs,
      group,
      client: this.#clientText(client, clientLength),
      domain,
      bits,
    });
  }

  denies({ action, namesPerMinute }: TunnelResponse, nowMs: number): boolean {
    if (action === 'alert') return false;
    if (action !== 'throttle' || !this.#fast.allowsThrottled(nowMs, namesPerMinute)) return true;
    this.throttled++;
    return false;
  }

  quarantinedUntilMs(question: Question, client: Uint8Array, clientLength: number, nowMs: number): number {
    return this.#fast.quarantinedUntilMs(question, client, clientLength, nowMs);
  }

  holds(question: Question, client: Uint8Array, clientLength: number, nowMs: number): boolean {
    return this.#fast.holds(question, client, clientLength, nowMs);
  }

  observe(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    profile: DetectorProfile,
    response: TunnelResponse,
    rcode: number,
    octets: number,
    answers: number,
    nowMs: number,
  ): void {
    const alarm = this.#fast.observe(
      question,
      client,
      clientLength,
      nowMs,
      this.#profileOf(profile),
      rcode,
      octets,
      answers,
      response.holdSeconds,
    );
    if (alarm !== null) this.#tell(alarm, this.#clientText(client, clientLength), response, nowMs);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#send();
    this.#port.close();
  }

  #profileOf(profile: DetectorProfile): DetectorProfile {
    return profile === 'default' ? this.#defaultProfile : profile;
  }

  #tell(
    { rule, scope, zone, scoreBits, limitBits, untilMs, evidence }: DetectAlarm,
    client: string,
    response: TunnelResponse,
    nowMs: number,
  ): void {
    const fast = this.#fast;
    const { clientA, clientB, zoneA, zoneB } = fast.charge;
    const reached: Verdict = {
      scope,
      action: 'block',
      rule,
      clientA,
      clientB,
      zoneA,
      zoneB,
      scoreBits,
      limitBits,
      firstSeenMs: nowMs,
      decidedAtMs: nowMs,
      untilMs,
      evidence,
    };
    const effect = effectOf(fast, reached, zone, response);
    this.verdicts[effect.action]++;
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#toldSecond) {
      this.#toldSecond = second;
      this.#toldCount = 0;
    }
    if (this.#toldCount === VERDICTS_PER_SECOND) {
      this.dropped++;
      return;
    }
    this.#toldCount++;
    this.#onVerdict({ ...effect, zone, client, group: response.group, left: fast.leftOf(reached) });
  }

  #keep(charge: Charge, question: Question, client: string, response: TunnelResponse): void {
    if (this.#batch.length === BATCH_LENGTH_MAX) {
      this.dropped++;
      return;
    }
    // The fast path fills the same charge anew for each query.
    this.#batch.push({ charge: { ...charge }, zone: this.#fast.zoneText(question), client, response });
  }

  #send(): void {
    if (this.#batch.length === 0) return;
    const batch: ChargeBatch = this.#batch;
    this.#batch = [];
    this.#port.postMessage(batch);
  }

  /** The client of the last check in words, an IPv6 client by its /64. Kept, as rendering it anew would cost more than the check. */
  #clientText(client: Uint8Array, clientLength: number): string {
    const { clientA, clientB } = this.#fast.charge;
    const key = clientA * 2 ** 20 + (clientB & 0xfffff);
    const known = this.#clientTexts.get(key);
    if (known !== undefined) return known;
    if (this.#clientTexts.size === CLIENT_TEXTS_MAX) this.#clientTexts.clear();
    const text = clientLength === IPV6_LENGTH ? networkText(client) : addressText(client, clientLength);
    this.#clientTexts.set(key, text);
    return text;
  }
}

function networkText(client: Uint8Array): string {
  const network = new Uint8Array(IPV6_LENGTH);
  network.set(client.subarray(0, IPV6_LENGTH / 2));
  return `${addressText(network, IPV6_LENGTH)}/64`;
}
