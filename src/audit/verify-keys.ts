/** Which key may sign: the first one, and then each that the one in charge has announced. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSigned, parse, SIGNED } from './verify-format.ts';

export class KeyTrace {
  /** Public keys in hex: the first that the log names, and the one in charge. */
  first = '';
  current = '';
  #next: string | null = null;
  readonly #announcements: string;

  constructor(directory: string, worker: number) {
    this.#announcements = join(directory, `w${worker}.keys`);
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
    let text = '';
    try {
      text = readFileSync(this.#announcements, 'utf8');
    } catch {
      // There is none; then nothing leads on from the key.
    }
    let current = key;
    for (const line of text.split('\n')) {
      const { key: by, next } = parse(line) ?? {};
      const [, signed, signature] = SIGNED.exec(line) ?? [];
      if (by !== current || typeof next !== 'string' || signed === undefined || signature === undefined)
        continue;
      if (isSigned(signed, signature, current)) current = next;
      if (current === wanted) break;
    }
    return current;
  }
}
