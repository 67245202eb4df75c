/** Records that the log makes of itself, or of what is done to it, kept until they are where records are kept. */

import type { NoteMembers } from './contract.ts';
import { jsonLine } from './json-text.ts';

export interface Note {
  readonly type: string;
  readonly members: NoteMembers;
  /** Called once the record is where the mode promises. */
  readonly kept: (() => void) | null;
}

/** Lines that hold the log together; no record may look like one of them. */
const STRUCTURE = ['segment', 'block', 'checkpoint'];
const OWN_MEMBERS = ['type', 'seq', 'time', 'up'];
const TYPE = /^[a-z][a-z-]{0,31}$/;
const LENGTH_MAX = 65_536;

/** Throws RangeError when a record cannot be one: a fault of the caller. */
export function checkNote(type: string, members: NoteMembers): void {
  if (!TYPE.test(type) || STRUCTURE.includes(type)) {
    throw new RangeError(
      `"${type}" is no type of a record: write up to 32 of a–z and "-", none of ${STRUCTURE.join(', ')}`,
    );
  }
  const taken = OWN_MEMBERS.find((name) => Object.hasOwn(members, name));
  if (taken !== undefined)
    throw new RangeError(`the member "${taken}" of a record is the log's own; name it otherwise`);
  const { length } = jsonLine(members);
  if (length > LENGTH_MAX) {
    throw new RangeError(
      `a record of type "${type}" has ${length} characters; at most ${LENGTH_MAX} are kept`,
    );
  }
}

/** More than these do not wait at a time; the next `gap` says how many more there were. */
const NOTES_MAX = 256;

/** What has no record: queries, and notes beyond those that may wait. */
interface Gap {
  readonly kind: 'refused' | 'lost';
  queries: number;
  notes: number;
  since: string;
  why: string;
}

export class Notes {
  #due: Note[] = [];
  #gap: Gap | null = null;
  /** Written, but not yet where the mode promises. */
  #taken: readonly Note[] = [];
  #takenGap: Gap | null = null;
  readonly #kind: 'refused' | 'lost';

  /** `kind`: what becomes of queries whose entry cannot be kept. */
  constructor(kind: 'refused' | 'lost') {
    this.#kind = kind;
  }

  get isEmpty(): boolean {
    return this.#due.length === 0 && this.#gap === null;
  }

  /** False when too many wait: it will not be kept, but counted. */
  add(note: Note, atMs: number): boolean {
    if (this.#due.length < NOTES_MAX) {
      this.#due.push(note);
      return true;
    }
    this.missNotes(1, atMs);
    return false;
  }

  /** Notes that found no room. */
  missNotes(count: number, atMs: number): void {
    this.#gapSince(atMs, 'more records of the log about itself than may wait').notes += count;
  }

  /** Queries without a record: all until the next `take` are one gap, since the first of them. */
  addMissing(count: number, atMs: number, why: string): void {
    this.#gapSince(atMs, why).queries += count;
  }

  #gapSince(atMs: number, why: string): Gap {
    this.#gap ??= { kind: this.#kind, queries: 0, notes: 0, since: new Date(atMs).toISOString(), why };
    return this.#gap;
  }

  /** What is to be written now: the gap comes last, since it counts up to here. */
  take(): readonly Note[] {
    const notes = this.#due;
    if (this.#gap !== null) notes.push(noteOf(this.#gap));
    this.#takenGap = this.#gap;
    this.#taken = notes;
    this.#due = [];
    this.#gap = null;
    return notes;
  }

  /** What was taken is kept now, or has to be taken again. */
  settle(kept: boolean): void {
    const taken = this.#taken;
    const gap = this.#takenGap;
    this.#taken = [];
    this.#takenGap = null;
    if (kept) {
      for (const note of taken) note.kept?.();
      return;
    }
    this.#due = [...(gap === null ? taken : taken.slice(0, -1)), ...this.#due];
    if (gap === null) return;
    gap.queries += this.#gap?.queries ?? 0;
    gap.notes += this.#gap?.notes ?? 0;
    this.#gap = gap;
  }
}

const noteOf = ({ kind, queries, notes, since, why }: Gap): Note => ({
  type: 'gap',
  members: {
    ...(queries === 0 ? {} : { [kind]: queries }),
    ...(notes === 0 ? {} : { notes }),
    since,
    why,
  },
  kept: null,
});
