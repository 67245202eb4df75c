/** What an audit log can be told, and what holds when it is not told. */
import { readFileSync } from 'node:fs';
import type { ClientPrivacy } from './client.ts';
import { type Disk, systemDisk } from './disk.ts';
import type { Retention } from './retention.ts';
import type { Recipient } from './seal.ts';

export type AuditMode = 'strict' | 'bounded' | 'open';

export interface AuditOptions {
  /** Made when it is not there. Several workers share it. */
  readonly directory: string;
  /** Number of the worker; no two open logs of a directory may have the same. */
  readonly worker: number;
  /** Default `bounded`. */
  readonly mode?: AuditMode;
  /** A segment is closed when it has this many octets (default 64 MiB, at most 1 GiB: readers hold one in memory) or is this old (default 1 hour). */
  readonly segmentOctets?: number;
  readonly segmentAgeMs?: number;
  /** How long a record waits at most before the disk is asked to keep it; default 40. */
  readonly syncIntervalMs?: number;
  /** `bounded`: batches are held while a record has waited this long for the disk; default 100. */
  readonly unsyncedMsMax?: number;
  /** `strict` and `bounded`: a query is refused when its record has waited this long for the disk; default 500. */
  readonly waitMsMax?: number;
  /** A signed checkpoint at least this often while there are records; default 1000. */
  readonly checkpointMs?: number;
  /** The signing key is replaced and erased this often; default 15 minutes. */
  readonly keyMs?: number;
  /** Called with each checkpoint line once it is written, so that it can be kept elsewhere. Must not throw. */
  readonly onCheckpoint?: (line: string) => void;
  /** A block is closed after this many records; default 1000. */
  readonly blockRecords?: number;
  /** Kept free for the log when the disk fills up; default 16 MiB, 0 for none. */
  readonly reserveOctets?: number;
  /** Closed segments older or more than this are deleted; default: nothing is. */
  readonly retention?: Retention;
  /** How often retention is looked at, and how long after its record a segment is deleted; default 60 s. */
  readonly maintenanceMs?: number;
  /** What of client addresses is kept; default all of it. */
  readonly clients?: ClientPrivacy;
  /** Who may read the records: each segment is encrypted to these keys; default: records are plain. */
  readonly encryptTo?: readonly Recipient[];
  /**
   * Where records are encrypted: true keeps the keys of segments for whoever ships them (ship-keys.ts), false destroys what is
   * left of such keys; default: neither.
   */
  readonly keysForShipping?: boolean;
  /** Names this start of the machine; default the kernel's boot id. */
  readonly bootId?: string;
  /** Milliseconds since 1970. */
  readonly wallMs?: () => number;
  /** Milliseconds of a clock that is never set. */
  readonly monotonicMs?: () => number;
  /** Called when the log stops being written and when it is written again, with the reason in words. */
  readonly onState?: (healthy: boolean, why: string) => void;
  /** In place of the system's; mode `open` then writes in the thread that opens the log, since it cannot be handed to another. */
  readonly disk?: Disk;
  /** Lines that wait for the disk, in memory: a larger batch is refused, in mode `open` what finds no room is lost. Default 16 MiB. */
  readonly bufferOctets?: number;
  /** Mode `open`: the program of the writing thread; default the one beside this file. */
  readonly threadFile?: URL;
}

/** Options with every default filled in. */
export interface AuditSettings {
  readonly directory: string;
  readonly worker: number;
  readonly mode: AuditMode;
  readonly segmentLength: number;
  readonly segmentAgeMs: number;
  readonly syncIntervalMs: number;
  readonly unsyncedMsMax: number;
  readonly waitMsMax: number;
  readonly checkpointMs: number;
  readonly keyMs: number;
  readonly onCheckpoint: (line: string) => void;
  readonly blockRecords: number;
  readonly blockLength: number;
  readonly bufferLength: number;
  readonly bufferLengthMax: number;
  readonly reserveLength: number;
  readonly retention: Retention | null;
  readonly maintenanceMs: number;
  readonly clients: ClientPrivacy;
  readonly encryptTo: readonly Recipient[];
  readonly keysForShipping: boolean | null;
  readonly bootId: string;
  readonly wallMs: () => number;
  readonly monotonicMs: () => number;
  readonly onState: (healthy: boolean, why: string) => void;
  readonly disk: Disk;
  readonly threadFile: URL | string;
}

const MIB = 1024 * 1024;

export function settingsOf(options: AuditOptions): AuditSettings {
  return {
    directory: options.directory,
    worker: options.worker,
    mode: options.mode ?? 'bounded',
    segmentLength: Math.min(options.segmentOctets ?? 64 * MIB, 1024 * MIB),
    segmentAgeMs: options.segmentAgeMs ?? 3_600_000,
    syncIntervalMs: options.syncIntervalMs ?? 40,
    unsyncedMsMax: options.unsyncedMsMax ?? 100,
    waitMsMax: options.waitMsMax ?? 500,
    checkpointMs: options.checkpointMs ?? 1000,
    keyMs: options.keyMs ?? 900_000,
    onCheckpoint: options.onCheckpoint ?? (() => {}),
    blockRecords: options.blockRecords ?? 1000,
    blockLength: 256 * 1024,
    bufferLength: 512 * 1024,
    bufferLengthMax: options.bufferOctets ?? 16 * MIB,
    reserveLength: options.reserveOctets ?? 16 * MIB,
    retention: options.retention ?? null,
    maintenanceMs: options.maintenanceMs ?? 60_000,
    clients: options.clients ?? { mode: 'keep' },
    encryptTo: options.encryptTo ?? [],
    keysForShipping: options.keysForShipping ?? null,
    bootId: options.bootId ?? bootId(),
    wallMs: options.wallMs ?? Date.now,
    monotonicMs: options.monotonicMs ?? (() => performance.now()),
    onState: options.onState ?? (() => {}),
    disk: options.disk ?? systemDisk,
    threadFile: options.threadFile ?? new URL('./open-thread.js', import.meta.url),
  };
}

/** The kernel's name for the time since the machine was started; elsewhere, one for the time since the process was. */
function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'ascii').trim();
  } catch {
    return `process-${process.pid}-${Math.round(performance.timeOrigin)}`;
  }
}
