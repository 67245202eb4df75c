/** A log that keeps nothing and says yes. */
import type { AuditCounters, AuditLog } from '../../src/audit/index.ts';

const NOTHING = new Uint8Array(0);

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

  renderTail(): Uint8Array {
    return NOTHING;
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
