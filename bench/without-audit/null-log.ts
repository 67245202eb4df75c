/** A log that keeps nothing and says yes. */
import type { AuditCounters, AuditLog, LineText } from '../../src/audit/index.ts';

const NOTHING = new Uint8Array(0);
const NO_TEXT = new Float64Array(1);

export class WorkerLog implements AuditLog {
  readonly healthy = true;
  readonly counters: AuditCounters = {
    entries: 0,
    octets: 0,
    commits: 0,
    failures: 0,
    refused: 0,
    lost: 0,
    rotations: 0,
  };

  renderOutcome(): Uint8Array {
    return NOTHING;
  }

  renderDetail(): Uint8Array {
    return NOTHING;
  }

  renderTail(): LineText {
    return NO_TEXT;
  }

  append(): void {}

  commit(then: (kept: boolean) => void): void {
    then(true);
  }

  note(): boolean {
    return true;
  }

  async close(): Promise<void> {}
}
