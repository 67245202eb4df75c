/**
 * Mode `strict`: no answer leaves before its record is on stable storage.
 *
 *    commit ─▶ waiting ─▶ group: write, sync ─▶ then(true)
 *                │           │ failed: rolled back, then(false)
 *                │           │ overdue: then(false) for all; should the disk confirm it yet, a `late` record says so
 *                └ what is committed while the disk is busy forms the next group
 *
 * A group is written and synced as a whole or taken back as a whole.
 */
import type { LogCore } from './core.ts';
import type { Mark } from './ledger.ts';
import { countOf, type Mode, TOO_LARGE, TOO_SLOW, type Waiting } from './mode.ts';
import type { Segment } from './segment.ts';
import { failureText } from './trouble.ts';

/** What is written and synced together. */
interface Group {
  readonly commits: readonly Waiting[];
  readonly mark: Mark;
  /** Number of the first record, and of the first behind it. */
  readonly from: number;
  readonly to: number;
  /** Its queries were refused because the disk took too long; the records may still come to be. */
  overdue: boolean;
  /** It went with its segment before its own sync was answered. */
  isOver: boolean;
}

export class StrictMode implements Mode {
  readonly #core: LogCore;
  #waiting: Waiting[] = [];
  #group: Group | null = null;

  constructor(core: LogCore) {
    this.#core = core;
  }

  get isBusy(): boolean {
    return this.#group !== null;
  }

  commit(then: (kept: boolean) => void): void {
    const { batch, trouble, ledger } = this.#core;
    if (batch.isEmpty) {
      then(trouble.why === null);
      return;
    }
    const mustRefuse = trouble.probing || this.#group?.overdue === true;
    if (ledger.segment === null || batch.doomed > 0 || mustRefuse) {
      then(this.#core.takeBack(trouble.why ?? TOO_LARGE));
      return;
    }
    this.#waiting.push({ then, count: batch.close() });
    if (this.#group === null) this.#startGroup();
  }

  writeOwn(): boolean {
    if (this.#core.isClosed) return this.#core.writeNow();
    if (this.#group === null) this.#startGroup();
    return this.#core.ledger.segment !== null;
  }

  #startGroup(): void {
    const core = this.#core;
    const { ledger, batch } = core;
    const segment = ledger.segment!;
    const mark = ledger.mark();
    const commits = this.#waiting;
    this.#waiting = [];
    const to = batch.seq - batch.open;
    const group: Group = { commits, mark, from: batch.keptSeq, to, overdue: false, isOver: false };
    const error = ledger.write();
    if (error !== null) {
      this.#failGroup(group, failureText(error));
      core.stop(error);
      return;
    }
    this.#group = group;
    const timer = setTimeout(() => this.#onOverdue(group), core.settings.waitMsMax).unref();
    ledger.sync((syncError) => {
      clearTimeout(timer);
      if (group.isOver) return;
      if (syncError !== null) {
        core.poison(segment, syncError);
        return;
      }
      this.#group = null;
      this.#endGroup(group, segment);
    });
  }

  #endGroup(group: Group, segment: Segment): void {
    const core = this.#core;
    const count = countOf(group.commits);
    core.kept(count, group.to);
    core.notes.settle(true);
    core.trust();
    if (group.overdue && count > 0) {
      const why = 'these records were written, but their queries had been refused: the disk took too long';
      core.addNote('late', { from: group.from, to: group.to - 1, why });
    } else {
      for (const commit of group.commits) commit.then(true);
    }
    if (segment === core.ledger.segment) {
      core.afterWrite();
      core.watchPlace(segment);
    }
    if (this.#waiting.length > 0 && this.#group === null && core.ledger.segment !== null) this.#startGroup();
  }

  /** The disk has not answered in time: everyone who waits is refused, and nobody else is let in until it has. */
  #onOverdue(group: Group): void {
    const { batch, ledger, counters, trouble } = this.#core;
    group.overdue = true;
    const refused = [...group.commits, ...this.#waiting];
    this.#waiting = [];
    batch.doom();
    ledger.dropWaiting();
    batch.seq = group.to;
    counters.failures++;
    trouble.set(TOO_SLOW);
    this.#core.refuse(refused, TOO_SLOW);
  }

  /** Refuses a group that is not in the file, and all that waited behind it. */
  #failGroup(group: Group, why: string): void {
    const { batch, ledger, notes } = this.#core;
    const refused = group.overdue ? this.#waiting : [...group.commits, ...this.#waiting];
    this.#waiting = [];
    batch.doom();
    ledger.dropWaiting();
    notes.settle(false);
    batch.seq = batch.keptSeq = group.from;
    this.#core.refuse(refused, why);
  }

  refuseWaiting(why: string): void {
    const refused = this.#waiting;
    this.#waiting = [];
    this.#core.batch.rewind();
    this.#core.refuse(refused, why);
  }

  /** The group is taken out of the segment again; that its records were on the disk is what nobody can say. */
  onPoison(why: string): void {
    const group = this.#group;
    if (group === null) return;
    this.#group = null;
    group.isOver = true;
    this.#core.ledger.rollBack(group.mark);
    this.#failGroup(group, why);
  }
}
