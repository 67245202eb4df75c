/** What the control thread and its workers say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { NoteMembers } from './audit/index.ts';
import type { Certificates } from './certificates.ts';
import type { Settings } from './config/index.ts';
import type { DetectMemory } from './detect/index.ts';
import type { CompiledPolicy } from './policy/index.ts';
import type { UpstreamServerState } from './upstream/contract.ts';
import type { FoundEvent, FoundVerdict, Released } from './verdicts.ts';

/** What a worker begins with; structured-cloned, so plain data and shared memory only. */
export interface WorkerStart {
  readonly worker: number;
  readonly workerCount: number;
  readonly settings: Settings;
  readonly compiled: CompiledPolicy;
  readonly counters: SharedArrayBuffer;
  readonly cookieSecret: Uint8Array;
  /** Buckets of the response-rate limit; null when there is none. */
  readonly rateTable: SharedArrayBuffer | null;
  readonly certificates: Certificates;
  readonly ticketKeys: Uint8Array;
  /** Key of the hashes that stand for secrets in the audit. */
  readonly redactionKey: Uint8Array;
  /** Shared memory of the fast paths and the way to the detector thread; null when the detector is off. */
  readonly detect: { readonly memory: DetectMemory; readonly port: MessagePort } | null;
  /** Several sockets share a port: every worker has its own. */
  readonly reusePort: boolean;
}

export type ToWorker =
  /** The first message, once. */
  | { readonly kind: 'start'; readonly start: WorkerStart }
  | { readonly kind: 'policy'; readonly compiled: CompiledPolicy }
  | { readonly kind: 'certificates'; readonly certificates: Certificates }
  | { readonly kind: 'detector'; readonly port: MessagePort }
  /** The audit is to have this verdict of the detector thread. */
  | { readonly kind: 'verdict'; readonly found: FoundVerdict }
  | { readonly kind: 'verdict-ended'; readonly ended: Released; readonly how: 'released' | 'over' }
  /** The audit is to say this of itself. */
  | { readonly kind: 'note'; readonly type: string; readonly members: NoteMembers }
  /** Stop listening, answer what is in flight for at most `graceMs`, close the audit, exit. */
  | { readonly kind: 'stop'; readonly graceMs: number };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type FromWorker =
  | {
      readonly kind: 'ready';
      readonly engine: string;
      /** Why the engine is the portable one, or null. */
      readonly engineReason: string | null;
      readonly listening: readonly Listening[];
    }
  | { readonly kind: 'policy-in-force'; readonly generation: number }
  | { readonly kind: 'state'; readonly upstreams: readonly UpstreamServerState[]; readonly audit: AuditState }
  /** The fast path has reached a verdict; told once, not for each query that it denies. */
  | { readonly kind: 'verdict'; readonly found: FoundVerdict }
  | { readonly kind: 'event'; readonly event: FoundEvent }
  /** A signed checkpoint of its audit is on the disk; told only when there is a place to send it to. */
  | { readonly kind: 'checkpoint'; readonly line: string }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly fields: object; readonly message: string };

export interface AuditState {
  readonly healthy: boolean;
  readonly why: string;
}

export interface Listening {
  readonly transport: 'udp' | 'tcp' | 'dot' | 'doh';
  readonly address: string;
  readonly port: number;
}
