/** What the tests of shipping share: a log that is written while it is shipped, and sinks by their settings. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditLog, type AuditOptions, type Entry, openAudit } from '../../src/audit/index.ts';
import type { SinkSettings } from '../../src/config/index.ts';
import { Settings } from '../../src/config/settings.ts';
import type { Loss, PumpState } from '../../src/ship/index.ts';
import { Shipping } from '../../src/ship/index.ts';
import { entryFor } from '../audit/fixture.ts';

/** Waits for a condition that must come true. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A directory that goes away, with whatever was opened in it. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'sallyport-ship-'));
  readonly audit = join(this.directory, 'audit');
  readonly losses: Loss[] = [];
  readonly troubles: (string | null)[] = [];
  states: readonly PumpState[] = [];
  readonly #logs = new Map<number, AuditLog>();
  readonly #written = new Map<number, number>();
  #shipping: Shipping | null = null;

  /** Opens the log of a worker, with checkpoints in quick succession. */
  open(worker = 0, options: Partial<AuditOptions> = {}): AuditLog {
    const log = openAudit({
      directory: this.audit,
      worker,
      reserveOctets: 0,
      unsyncedMsMax: 60_000,
      checkpointMs: 20,
      syncIntervalMs: 5,
      ...options,
    });
    this.#logs.set(worker, log);
    return log;
  }

  /** Writes entries whose names say which they are: `n<i>.example.com`. */
  write(count: number, worker = 0, change: (entry: Entry, i: number) => Partial<Entry> = () => ({})): void {
    const log = this.#logs.get(worker)!;
    for (let left = count; left > 0; ) {
      const batch = Math.min(left, 500);
      for (let i = 0; i < batch; i++) {
        const written = this.#written.get(worker) ?? 0;
        const entry = entryFor(log, `n${written}.example.com`);
        log.append({ ...entry, atMs: Date.now(), ...change(entry, written) });
        this.#written.set(worker, written + 1);
      }
      log.commit((kept) => {
        if (!kept) throw new Error('the entries were not kept');
      });
      left -= batch;
    }
  }

  async closeLog(worker = 0): Promise<void> {
    await this.#logs.get(worker)?.close();
    this.#logs.delete(worker);
  }

  /** Ships with these settings, as they stand in the file. */
  async ship(...sinks: Record<string, unknown>[]): Promise<Shipping> {
    this.#shipping = await Shipping.start({
      directory: this.audit,
      sinks: sinksOf(...sinks),
      version: '1.2.3',
      onLoss: (loss) => this.losses.push(loss),
      onState: (_, what, why) => {
        if (what === 'receiver') this.troubles.push(why);
      },
      onStates: (states) => {
        this.states = states;
      },
    });
    return this.#shipping;
  }

  async stopShipping(graceMs = 5000): Promise<void> {
    await this.#shipping?.stop(graceMs);
    this.#shipping = null;
  }

  async end(): Promise<void> {
    await this.stopShipping(0);
    for (const worker of [...this.#logs.keys()]) await this.closeLog(worker);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export const sinksOf = (...sinks: Record<string, unknown>[]): SinkSettings[] =>
  Settings.parse({ ship: sinks }).ship;

/** Numbers from `from` to `to`, both included. */
export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);
