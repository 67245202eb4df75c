/**
 * What the log says of upstreams. A server that cannot be reached is tried every second, for hours if need be: what is the
 * same is said once a minute, with how often it was so.
 */
import type { LogLevel } from './thread-messages.ts';
import type { UpstreamEvent } from './upstream/index.ts';

const AGAIN_AFTER_MS = 60_000;
/** Servers of all pools, each with a message or two; beyond it everything is said. */
const REMEMBERED_MAX = 1024;

const WORDS: Readonly<Record<UpstreamEvent['event'], string>> = {
  'server-down': 'an upstream is down',
  'server-up': 'an upstream answers again',
  'pool-empty':
    'a pool has no upstream: what is asked there gets SERVFAIL; write its servers into upstreams.<pool>.servers ' +
    '(system: those of /etc/resolv.conf, but for our own addresses)',
  flood:
    'replies arrive that fit no question: somebody may be guessing; what is waited for is asked over TCP',
  'link-error': 'an upstream cannot be reached',
};

export class UpstreamLog {
  readonly #say: (level: LogLevel, fields: object, message: string) => void;
  readonly #nowMs: () => number;
  readonly #said = new Map<string, { atMs: number; unsaid: number }>();

  constructor(
    say: (level: LogLevel, fields: object, message: string) => void,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#say = say;
    this.#nowMs = nowMs;
  }

  take(event: UpstreamEvent): void {
    const unsaid = event.event === 'link-error' ? this.#repeats(`${event.server} ${event.message}`) : 0;
    if (unsaid === null) return;
    const level = event.event === 'server-up' ? 'info' : 'warn';
    this.#say(level, unsaid > 0 ? { ...event, unsaid } : event, WORDS[event.event]);
  }

  /** How often the same was left unsaid since it was said last; null when it is to be left unsaid again. */
  #repeats(what: string): number | null {
    const nowMs = this.#nowMs();
    const known = this.#said.get(what);
    if (known !== undefined && nowMs - known.atMs < AGAIN_AFTER_MS) {
      known.unsaid++;
      return null;
    }
    if (known === undefined && this.#said.size >= REMEMBERED_MAX) this.#said.clear();
    this.#said.set(what, { atMs: nowMs, unsaid: 0 });
    return known?.unsaid ?? 0;
  }
}
