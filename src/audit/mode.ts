/** What the modes have in common: `strict.ts`, `bounded.ts`, `open.ts`; what they promise stands in docs/audit.md. */

export interface Mode {
  /** Takes the open batch, and calls back as `AuditLog.commit` says. */
  commit(then: (kept: boolean) => void): void;
  /** Batches wait for the disk, in order: the log adds no records of itself meanwhile. */
  readonly isBusy: boolean;
  /** Writes what the log has added of itself; false when that failed and the log stopped. */
  writeOwn(): boolean;
  /** The segment is gone: what waited to be written goes with it. */
  refuseWaiting(why: string): void;
  /** The disk has not confirmed the segment at hand: its records count as kept or not, as the mode has it. */
  onPoison(why: string): void;
}

/** One commit that waits for the disk: all of them in `strict`, those behind a slow disk in `bounded`. */
export interface Waiting {
  readonly then: (kept: boolean) => void;
  readonly count: number;
}

export const countOf = (commits: readonly Waiting[]): number =>
  commits.reduce((sum, commit) => sum + commit.count, 0);

export const TOO_SLOW = 'the disk of the audit log confirms too slowly';
export const TOO_LARGE = 'a batch was too large for the buffer of the audit log';
