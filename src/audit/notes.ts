/** Records that the log has to make of itself, kept until they are where records are kept. */

export interface Note {
  readonly type: string;
  readonly members: Readonly<Record<string, unknown>>;
}

/** More than these are not kept; a log in such trouble is counted by its gaps. */
const NOTES_MAX = 64;

interface Missing {
  readonly kind: 'refused' | 'lost';
  count: number;
  readonly since: string;
  readonly why: string;
}

export class Notes {
  #due: Note[] = [];
  /** Written, but not yet where the mode promises. */
  #taken: Note[] = [];
  #missing: Missing | null = null;

  get isEmpty(): boolean {
    return this.#due.length === 0 && this.#missing === null;
  }

  add(type: string, members: Readonly<Record<string, unknown>>): void {
    if (this.#due.length < NOTES_MAX) this.#due.push({ type, members });
  }

  /** Queries without a record: all until the next `take` are one gap, since the first of them. */
  addMissing(kind: 'refused' | 'lost', count: number, atMs: number, why: string): void {
    this.#missing ??= { kind, count: 0, since: new Date(atMs).toISOString(), why };
    this.#missing.count += count;
  }

  take(): readonly Note[] {
    const missing = this.#missing;
    this.#missing = null;
    if (missing !== null) {
      const { kind, count, since, why } = missing;
      this.#due.push({ type: 'gap', members: { [kind]: count, since, why } });
    }
    const notes = this.#due;
    this.#due = [];
    this.#taken.push(...notes);
    return notes;
  }

  /** What was taken is kept now, or has to be taken again. */
  settle(kept: boolean): void {
    if (!kept) this.#due = [...this.#taken, ...this.#due];
    this.#taken = [];
  }
}
