/** Signed checkpoints of the audit on their way out of this machine: to files, webhooks and syslog receivers. */
import { Carrier } from './carrier.ts';
import type { CarrierState, Place } from './contract.ts';
import { FilePlace } from './file-place.ts';
import { SyslogPlace } from './syslog-place.ts';
import { WebhookPlace } from './webhook-place.ts';

export type { CarrierState } from './contract.ts';

/** One entry of `audit.checkpoints`. */
export interface PlaceSettings {
  readonly file?: string | undefined;
  readonly webhook?: string | undefined;
  readonly syslog?: { readonly host: string; readonly port: number } | undefined;
  readonly every: number;
  readonly size: number;
  readonly transport: 'tls' | 'tcp' | 'udp';
  readonly serverName?: string | undefined;
  readonly caFile?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** Says why checkpoints stopped arriving at a place, and null when they arrive again. */
export type OnTrouble = (
  place: { readonly kind: string; readonly where: string },
  why: string | null,
) => void;

export class CheckpointCarriers {
  readonly #carriers: readonly Carrier[];

  constructor(places: readonly PlaceSettings[], onTrouble: OnTrouble) {
    this.#carriers = places.map((settings) => {
      const place = placeOf(settings);
      const { kind, where } = place;
      return new Carrier(place, settings.every, (why) => onTrouble({ kind, where }, why));
    });
  }

  /** Takes a checkpoint line of a worker on its way to every place. Never waits. */
  take(worker: number, line: string): void {
    const checkpoint = { worker, line: line.trimEnd() };
    for (const carrier of this.#carriers) carrier.take(checkpoint);
  }

  get states(): readonly CarrierState[] {
    return this.#carriers.map(({ state }) => state);
  }

  /** Sends what waits once more, for at most `graceMs`. */
  async close(graceMs: number): Promise<void> {
    await Promise.all(this.#carriers.map((carrier) => carrier.close(graceMs)));
  }
}

function placeOf(settings: PlaceSettings): Place {
  const { file, webhook, syslog, size, transport } = settings;
  const caFile = settings.caFile ?? null;
  if (file !== undefined) return new FilePlace(file, size);
  if (webhook !== undefined) {
    return new WebhookPlace({ url: webhook, caFile, tokenFile: settings.tokenFile ?? null });
  }
  // Settings without any of the three are refused when they are read.
  const { host, port } = syslog ?? { host: '', port: 0 };
  return new SyslogPlace({ host, port, transport, serverName: settings.serverName ?? null, caFile });
}
