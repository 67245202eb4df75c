/** All sinks of one process: each on its own, over one log. */

import { hostname } from 'node:os';
import {
  type AuditRecord,
  destroyShipped,
  dismissReader,
  type Place,
  readerNames,
  segmentNames,
} from '../audit/index.ts';
import type { SinkSettings } from '../config/index.ts';
import { failureText } from './contract.ts';
import { openSink } from './open-sink.ts';
import { type Loss, Pump, type PumpState, resumedPlaces } from './pump.ts';
import { type LogState, lookAt } from './spool.ts';
import { endOf } from './tail.ts';

const LOOK_EVERY_MS = 1000;

export type Trouble = 'receiver' | 'spool' | 'cursor';

export interface ShippingOptions {
  readonly directory: string;
  readonly sinks: readonly SinkSettings[];
  readonly version: string;
  readonly onLoss: (loss: Loss) => void;
  /** A receiver is away, a spool overflows or a cursor cannot be written (`why`), or that is over (null). */
  readonly onState: (sink: string, what: Trouble, why: string | null) => void;
  readonly onStates: (states: readonly PumpState[]) => void;
}

export class Shipping {
  readonly #options: ShippingOptions;
  readonly #pumps: Pump[];
  readonly #overflowing = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #look: LogState | null = null;

  private constructor(options: ShippingOptions, pumps: Pump[]) {
    this.#options = options;
    this.#pumps = pumps;
    this.#timer = setInterval(() => this.#note(), LOOK_EVERY_MS);
  }

  /**
   * Begins to ship. To be called before the workers write: a sink that has never shipped begins behind what is there now.
   * Rejects when the directory of the log cannot be read.
   */
  static async start(options: ShippingOptions): Promise<Shipping> {
    const { directory, sinks } = options;
    const configured = new Set(sinks.map(({ name }) => name));
    for (const reader of readerNames(directory))
      if (!configured.has(reader)) dismissReader(directory, reader);
    const pumps: Pump[] = [];
    for (const settings of sinks) pumps.push(await openPump(settings, options));
    const shipping = new Shipping(options, pumps);
    shipping.#note();
    for (const pump of pumps) pump.start();
    return shipping;
  }

  /** Ships what is there, for at most `graceMs`, and ends. */
  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#timer);
    // Workers that began to write since the last look have something to ship as well.
    this.#note();
    await Promise.all(this.#pumps.map((pump) => pump.stop(graceMs)));
    this.#note();
  }

  #note(): void {
    const { directory, onStates, onState } = this.#options;
    this.#look = lookAt(directory, this.#look);
    for (const pump of this.#pumps) {
      pump.note(this.#look);
      const { overflows } = pump.state;
      if (overflows === this.#overflowing.has(pump.name)) continue;
      if (overflows) this.#overflowing.add(pump.name);
      else this.#overflowing.delete(pump.name);
      const why =
        'more waits than the spool may hold: the oldest records may be deleted before they are shipped';
      onState(pump.name, 'spool', overflows ? why : null);
    }
    this.#destroyKeys();
    onStates(this.#pumps.map((pump) => pump.state));
  }

  /** Where records are encrypted: the keys of what has arrived everywhere. */
  #destroyKeys(): void {
    const { directory, sinks } = this.#options;
    try {
      destroyShipped(
        directory,
        sinks.map(({ name }) => name),
      );
    } catch {
      // A cursor cannot be read now; the next look finds the same keys.
    }
  }
}

async function openPump(settings: SinkSettings, options: ShippingOptions): Promise<Pump> {
  const { directory, version, onLoss, onState } = options;
  const { name, spool } = settings;
  const places = resumedPlaces(directory, name) ?? (await firstPlaces(settings, directory));
  return new Pump(
    {
      name,
      directory,
      host: settings.identity ?? hostname(),
      open: () => openSink(settings, version),
      passes: filterOf(settings),
      spool,
      flushMs: 'flush' in settings ? settings.flush : null,
      onLoss,
      onState: (what, why) => onState(name, what, why),
    },
    places,
  );
}

async function firstPlaces({ begin }: SinkSettings, directory: string): Promise<ReadonlyMap<number, Place>> {
  const places = new Map<number, Place>();
  if (begin === 'oldest') return places;
  for (const worker of workersOf(directory)) {
    const place = await endOf(directory, worker);
    if (place !== null) places.set(worker, place);
  }
  return places;
}

export function workersOf(directory: string): number[] {
  try {
    return [...new Set(segmentNames(directory).map(({ worker }) => worker))];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new Error(`the audit in ${directory} cannot be read: ${failureText(error)}`);
  }
}

/** Which records a sink is given. */
function filterOf({ verdicts }: SinkSettings): (record: AuditRecord) => boolean {
  if (verdicts === undefined) return () => true;
  const wanted = new Set<string>(verdicts);
  return ({ type, verdict }) => wanted.has(type === undefined ? (verdict ?? '') : 'note');
}
