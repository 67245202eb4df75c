/**
 * The detector as a data thread uses it: the fast path in its own memory shared with the other threads, and the charges
 * of what left on their way to the detector thread.
 *
 * Charges travel in batches, and only those that charge anything. A batch that is full before it is sent drops the rest and counts them:
 * the fast path has judged those names already, and the data plane never waits for the slow view.
 */
import type { MessagePort } from 'node:worker_threads';
import {
  type Charge,
  createFastPath,
  type DetectMemory,
  type FastPath,
  type Verdict,
} from './detect/index.ts';
import type { Alarm, Detector, DetectorProfile } from './query/index.ts';
import type { Question } from './wire/index.ts';

/** Charges of one batch at most; at one batch in 50 ms that is 80,000 a second and thread. */
const BATCH_LENGTH_MAX = 4096;
const SEND_EVERY_MS = 50;

/** What a data thread sends to the detector thread. */
export type ChargeBatch = readonly { readonly charge: Charge; readonly zone: string }[];

export class ThreadDetector implements Detector {
  readonly #fast: FastPath;
  #port: MessagePort;
  readonly #defaultProfile: DetectorProfile;
  #batch: { charge: Charge; zone: string }[] = [];
  readonly #timer: NodeJS.Timeout;
  /** Charges that found their batch full. */
  dropped = 0;

  constructor(memory: DetectMemory, seed: number, profile: DetectorProfile, port: MessagePort) {
    this.#fast = createFastPath({ memory, seed });
    this.#port = port;
    this.#defaultProfile = profile;
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
    this.#port.on('message', ({ verdict, zone }: { verdict: Verdict; zone: string }) =>
      this.#fast.apply(verdict, zone),
    );
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
    nowMs: number,
  ): Alarm | null {
    const held = this.#fast.check(question, client, clientLength, nowMs, this.#profileOf(profile));
    if (held !== null) return held;
    const { charge } = this.#fast;
    if (charge.bits > 0 || charge.sharedBits > 0) this.#keep(charge, question);
    return null;
  }

  observe(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    profile: DetectorProfile,
    rcode: number,
    octets: number,
    answers: number,
    nowMs: number,
  ): void {
    this.#fast.observe(
      question,
      client,
      clientLength,
      nowMs,
      this.#profileOf(profile),
      rcode,
      octets,
      answers,
    );
  }

  close(): void {
    clearInterval(this.#timer);
    this.#send();
    this.#port.close();
  }

  #profileOf(profile: DetectorProfile): DetectorProfile {
    return profile === 'default' ? this.#defaultProfile : profile;
  }

  #keep(charge: Charge, question: Question): void {
    if (this.#batch.length === BATCH_LENGTH_MAX) {
      this.dropped++;
      return;
    }
    // The fast path fills the same charge anew for each query.
    this.#batch.push({ charge: { ...charge }, zone: this.#fast.zoneText(question) });
  }

  #send(): void {
    if (this.#batch.length === 0) return;
    const batch: ChargeBatch = this.#batch;
    this.#batch = [];
    this.#port.postMessage(batch);
  }
}
