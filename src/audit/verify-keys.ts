/** Which key may sign: the first one, and then each that the one in charge has announced. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSigned, parse, SIGNED } from './verify-format.ts';
import type { Claim } from './verify-report.ts';

/** An announcement that was taken from the `.keys` file: the log must have had this root at this size when it was made. */
export interface Announcement extends Claim {
  /** The key that it puts in charge, and when, as the checkpoint says. */
  readonly next: string;
  readonly time: string;
}

export class KeyTrace {
  /** Public keys in hex: the first that the log names, and the one in charge. */
  first = '';
  current = '';
  /**
   * Without them a newer key could go on from any place in the past: who has only that one would cut the log where they like
   * and write another history behind it.
   */
  readonly used: Announcement[] = [];
  #next: string | null = null;
  readonly #worker: number;
  readonly #directory: string;

  constructor(directory: string, worker: number) {
    this.#directory = directory;
    this.#worker = worker;
  }

  begin(key: string): void {
    this.first = this.current = key;
  }

  announce(key: string): void {
    this.#next = key;
  }

  /** Puts `key` in charge; false when nobody has announced it. */
  take(key: string): boolean {
    if (key === this.current) return true;
    // The announcement may lie in a segment that was retired; it is kept in the .keys file then.
    const isAnnounced = key === this.#next || this.after(this.current, key) === key;
    this.current = key;
    this.#next = null;
    return isAnnounced;
  }

  /** The key in charge after the announcements in `w….keys` that begin with `key`, but not past `wanted`. */
  after(key: string, wanted: string): string {
    if (key === wanted) return key;
    const file = `w${this.#worker}.keys`;
    let text = '';
    try {
      text = readFileSync(join(this.#directory, file), 'utf8');
    } catch {
      // There is none; then nothing leads on from the key.
    }
    let current = key;
    const steps: Announcement[] = [];
    const lines = text.split('\n');
    for (let i = 0; i < lines.length && current !== wanted; i++) {
      const { key: by, next, size, root, time } = parse(lines[i]) ?? {};
      const [, signed, signature] = SIGNED.exec(lines[i]) ?? [];
      if (by !== current || typeof next !== 'string' || signed === undefined || signature === undefined)
        continue;
      if (!isSigned(signed, signature, current)) continue;
      current = next;
      const place = { worker: this.#worker, file, offset: 0, line: i + 1 };
      steps.push({
        worker: this.#worker,
        size: Number(size),
        root: String(root),
        place,
        next,
        time: String(time),
      });
    }
    if (current === wanted) this.used.push(...steps);
    return current;
  }
}
