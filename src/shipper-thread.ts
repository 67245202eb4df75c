/** The shipping thread as the control thread has it: started, heard, published, ended. */
import { Worker } from 'node:worker_threads';
import { destinationText, type SinkSettings } from './config/index.ts';
import type { Log } from './control/index.ts';
import type { Family } from './metrics/index.ts';
import type { Loss, PumpState, Trouble } from './ship/index.ts';
import type { FromShipper, ShipperStart, ToShipper } from './shipper.ts';

const RESTART_AFTER_MS = 1000;

export interface ShipperOptions {
  readonly directory: string;
  readonly sinks: readonly SinkSettings[];
  readonly version: string;
  readonly log: Log;
  /** Records that will never arrive: the audit says so itself. */
  readonly onLoss: (loss: Loss) => void;
}

/** A sink as `/api/state` and `sallyport ship status` show it. */
export interface ShownSink extends PumpState {
  readonly type: string;
  readonly to: string;
}

export class Shipper {
  readonly #options: ShipperOptions;
  #worker: Worker | null = null;
  #states: readonly PumpState[] = [];
  /** What threads that ended had counted. */
  #before = new Map<string, PumpState>();
  #closing = false;

  constructor(options: ShipperOptions) {
    this.#options = options;
  }

  /** Starts the thread; resolves once what is written from then on will be shipped. Rejects when the log cannot be read. */
  start(): Promise<void> {
    const { directory, sinks, version, log } = this.#options;
    const start: ShipperStart = { directory, sinks, version };
    const worker = new Worker(new URL('./shipper.js', import.meta.url), { workerData: start });
    this.#worker = worker;
    worker.on('error', (error) => log.error({ err: error }, 'the shipping thread failed'));
    worker.on('exit', () => {
      this.#worker = null;
      if (this.#closing) return;
      // The log is on the disk; shipping goes on where its cursors are.
      log.error({}, 'the shipping thread ended; it is started again');
      this.#before = new Map(
        this.#states.map((state) => [state.name, added(state, this.#before.get(state.name))]),
      );
      this.#states = [];
      setTimeout(() => {
        if (!this.#closing)
          this.start().catch((error: unknown) => log.error({ err: error }, 'shipping cannot go on'));
      }, RESTART_AFTER_MS).unref();
    });
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromShipper) => {
        if (message.kind === 'ready') resolve();
        else if (message.kind === 'failed') reject(new Error(message.why));
        else this.#hear(message);
      });
      worker.once('error', reject);
    });
  }

  /** Sinks with their state, in the order of the settings. */
  list(): readonly ShownSink[] {
    return this.#options.sinks.map((settings) => ({
      ...this.#stateOf(settings.name),
      type: settings.type,
      to: destinationText(settings),
    }));
  }

  /** What is not as it should be, in words for people; empty when all is well. */
  degraded(): string[] {
    return this.list().flatMap(({ name, trouble, overflows, lost }) => [
      ...(trouble === null ? [] : [`sink ${name} ships nothing: ${trouble.why}`]),
      ...(overflows ? [`the spool of sink ${name} is full`] : []),
      ...(lost.gone + lost.refused > 0 ? [`sink ${name} has lost ${lost.gone + lost.refused} records`] : []),
    ]);
  }

  /** Ships what is left while receivers take it, and ends the thread. Call it when the data threads have ended. */
  async close(graceMs: number): Promise<void> {
    this.#closing = true;
    const worker = this.#worker;
    if (worker === null) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage({ kind: 'stop', graceMs } satisfies ToShipper);
    await ended;
  }

  #stateOf(name: string): PumpState {
    const state = this.#states.find((one) => one.name === name) ?? { ...EMPTY, name };
    return added(state, this.#before.get(name));
  }

  #hear(message: FromShipper): void {
    const { log } = this.#options;
    switch (message.kind) {
      case 'states':
        this.#states = message.states;
        return;
      case 'loss': {
        const { sink, worker, from, to, count, why } = message.loss;
        log.error({ sink, worker, from, to, count, why }, 'audit records will never reach their receiver');
        this.#options.onLoss(message.loss);
        return;
      }
      case 'state': {
        const { sink, what, why } = message;
        const [bad, level, good] = TROUBLES[what];
        if (why === null) log.info({ sink }, good);
        else log[level]({ sink, why }, bad);
      }
    }
  }

  /** Families for the metrics page. */
  families(): Family[] {
    return SHIP_FAMILIES.map(({ name, type, help, values }) => ({
      name,
      type,
      help,
      samples: () =>
        this.list().flatMap((state) =>
          values(state).map(([value, cause]) => ({
            labels: cause === undefined ? { sink: state.name } : { sink: state.name, cause },
            value,
          })),
        ),
    }));
  }
}

/** What is said of each trouble when it begins, how loudly, and when it is over. */
const TROUBLES: Readonly<Record<Trouble, readonly [string, 'warn' | 'error', string]>> = {
  receiver: ['shipping is held up; nothing is lost while the spool has room', 'warn', 'shipping goes on'],
  spool: ['the spool of a sink is full', 'error', 'the spool of the sink is within its bound again'],
  cursor: [
    'how far was shipped cannot be written down; after a crash the records since are sent again',
    'warn',
    'how far was shipped is written down again',
  ],
};

const EMPTY: Omit<PumpState, 'name'> = {
  records: 0,
  octets: 0,
  failures: 0,
  connections: 0,
  lost: { gone: 0, refused: 0 },
  lagRecords: 0,
  lagSeconds: 0,
  spoolOctets: 0,
  overflows: false,
  trouble: null,
};

/** Counters that a predecessor has counted go on. */
const added = (state: PumpState, before: PumpState | undefined): PumpState =>
  before === undefined
    ? state
    : {
        ...state,
        records: state.records + before.records,
        octets: state.octets + before.octets,
        failures: state.failures + before.failures,
        connections: state.connections + before.connections,
        lost: {
          gone: state.lost.gone + before.lost.gone,
          refused: state.lost.refused + before.lost.refused,
        },
      };

interface ShipFamily {
  readonly name: string;
  readonly type: Family['type'];
  readonly help: string;
  /** Values, each with the label `cause` where there is one. */
  values(state: PumpState): [number, string?][];
}

/** What is published about each sink; without the prefix. */
export const SHIP_FAMILIES: readonly ShipFamily[] = [
  {
    name: 'ship_records_total',
    type: 'counter',
    help: 'Audit records that receivers have acknowledged, by sink.',
    values: ({ records }) => [[records]],
  },
  {
    name: 'ship_octets_total',
    type: 'counter',
    help: 'Octets of those records, as lines of the log.',
    values: ({ octets }) => [[octets]],
  },
  {
    name: 'ship_failures_total',
    type: 'counter',
    help: 'Failures to reach a receiver or to hand records over; the records are sent again.',
    values: ({ failures }) => [[failures]],
  },
  {
    name: 'ship_connections_total',
    type: 'counter',
    help: 'Connections made to receivers: the first, after failures, and those that protocols without acknowledgement need.',
    values: ({ connections }) => [[connections]],
  },
  {
    name: 'ship_lost_total',
    type: 'counter',
    help: 'Records that will never arrive: gone before they were shipped, or refused by the receiver.',
    values: ({ lost }) => [
      [lost.gone, 'gone'],
      [lost.refused, 'refused'],
    ],
  },
  {
    name: 'ship_lag_records',
    type: 'gauge',
    help: 'Records in the log that the receiver has not acknowledged.',
    values: ({ lagRecords }) => [[lagRecords]],
  },
  {
    name: 'ship_lag_seconds',
    type: 'gauge',
    help: 'Age of the oldest of them.',
    values: ({ lagSeconds }) => [[lagSeconds]],
  },
  {
    name: 'ship_spool_octets',
    type: 'gauge',
    help: 'Octets of the log that wait to be shipped.',
    values: ({ spoolOctets }) => [[spoolOctets]],
  },
  {
    name: 'ship_healthy',
    type: 'gauge',
    help: 'Whether the receiver takes what it is sent (1) or not (0).',
    values: ({ trouble }) => [[trouble === null ? 1 : 0]],
  },
];
