/** What a place for checkpoints must do, and what the carrier tells of it. */

/** One checkpoint line, without its newline, and whose it is. */
export interface Checkpoint {
  readonly worker: number;
  readonly line: string;
}

export interface Place {
  /** `file`, `webhook` or `syslog`, and where: for the log and the state, without secrets. */
  readonly kind: string;
  readonly where: string;
  /** Resolves once the place has them, as far as its protocol tells; rejects in words. Not called twice at a time. */
  put(checkpoints: readonly Checkpoint[]): Promise<void>;
}

export interface CarrierState {
  readonly kind: string;
  readonly where: string;
  /** Checkpoints that arrived, attempts that failed, and checkpoints that a newer one took the place of. */
  readonly sent: number;
  readonly failures: number;
  readonly superseded: number;
  /** Checkpoints that wait. */
  readonly waiting: number;
  /** When the last one arrived, ISO 8601; null: none yet. */
  readonly lastAt: string | null;
  /** Why the last attempt failed; null: it did not. */
  readonly trouble: string | null;
}
