/** What the path needs of the rooms that it must not know: the detector and the upstreams are handed in. */
import type { Upstreams } from '../upstream/contract.ts';
import type { Question } from '../wire/index.ts';

export type { Asker, UpstreamFailure, UpstreamPool, Upstreams } from '../upstream/contract.ts';

/** Why a name may not leave: data rides in it. */
export interface Alarm {
  /** In words, at most 16: octets counted, names, window, rule. */
  readonly evidence: readonly string[];
}

export type DetectorProfile = 'default' | 'strict' | 'off';

export interface Detector {
  /**
   * Whether this name may leave, asked on cache misses only and before forwarding. `client` is 4 or 16 octets, `nowMs` the
   * wall clock. A clean name costs next to nothing (`bench/detect/cost.ts`).
   */
  check(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    profile: DetectorProfile,
    nowMs: number,
  ): Alarm | null;
  /**
   * Whether this client has told this zone enough for a day by choosing among known questions, so that one that was answered before is
   * answered again from what is kept. Asked on cache misses whose answer has run out, before `check`.
   */
  holds(question: Question, client: Uint8Array, clientLength: number, nowMs: number): boolean;
  /** What came back for a question that was let through. `octets`: length of the answer's body; `answers`: its records. */
  observe(
    question: Question,
    client: Uint8Array,
    clientLength: number,
    profile: DetectorProfile,
    rcode: number,
    octets: number,
    answers: number,
    nowMs: number,
  ): void;
}

/** The detector of installations that have switched it off. */
export const NO_DETECTOR: Detector = {
  check: () => null,
  holds: () => false,
  observe: () => undefined,
};

export interface Clock {
  /** Monotonic, milliseconds with fractions. */
  nowMs(): number;
  /** Wall clock, milliseconds since 1970. */
  wallMs(): number;
}

export type PathUpstreams = Pick<Upstreams, 'pool' | 'flush'>;
