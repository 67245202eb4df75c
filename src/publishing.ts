/**
 * Numbers that rooms of a data thread keep for themselves, brought into its shared columns once a second.
 *
 * The columns outlive the thread: one that is started again begins with counters of zero, and what its predecessor had
 * counted is added, because a counter that falls is read as a restart of the whole.
 */
import type { AuditLog } from './audit/index.ts';
import type { ResponseCache } from './cache/index.ts';
import type { ThreadDetector } from './detection.ts';
import type { Listener } from './listen/index.ts';
import { At, type Counters } from './metrics/index.ts';
import type { DatagramSocket } from './net/index.ts';
import type { QueryPath } from './query/index.ts';
import { streamCounts } from './stream-counts.ts';
import type { OpenUpstreams } from './upstream/index.ts';

export interface Published {
  readonly audit: AuditLog;
  readonly cache: ResponseCache;
  readonly path: QueryPath;
  readonly upstreams: OpenUpstreams;
  readonly detector: ThreadDetector | null;
  readonly sockets: readonly DatagramSocket[];
  readonly listeners: readonly Listener[];
}

export class Publisher {
  readonly #columns: Float64Array;
  /** What a predecessor of this thread had counted. */
  readonly #before: Float64Array;
  readonly #from: Published;

  constructor(counters: Counters, from: Published) {
    this.#columns = counters.columns;
    this.#before = Float64Array.from(counters.columns);
    this.#from = from;
  }

  publish(): void {
    this.#publishSockets();
    this.#publishStreams();
    const { audit, cache, path, upstreams, detector } = this.#from;
    this.#count('cacheEvictions', cache.counters.evictions);
    this.#count('cacheCollisions', cache.counters.collisions);
    this.#count('auditEntries', audit.counters.entries);
    this.#count('auditOctets', audit.counters.octets);
    this.#count('auditCommits', audit.counters.commits);
    this.#count('auditFailures', audit.counters.failures);
    this.#count('auditRefused', audit.counters.refused);
    this.#count('auditLost', audit.counters.lost);
    this.#count('auditRotations', audit.counters.rotations);
    this.#count('upstreamRetransmitted', upstreams.counters.retransmitted);
    this.#count('upstreamHedged', upstreams.counters.hedged);
    this.#count('upstreamOverTcp', upstreams.counters.overTcp);
    this.#count('upstreamAbandoned', upstreams.counters.abandoned);
    this.#count('upstreamRetriesDenied', upstreams.counters.retriesDenied);
    this.#count('tunnelChecked', detector?.counters.checked ?? 0);
    this.#count('tunnelAlarms', detector?.counters.alarms ?? 0);
    this.#count('tunnelBlocked', detector?.counters.blocked ?? 0);
    this.#count('tunnelThrottled', detector?.throttled ?? 0);
    this.#count('verdictAlert', detector?.verdicts.alert ?? 0);
    this.#count('verdictThrottle', detector?.verdicts.throttle ?? 0);
    this.#count('verdictBlock', detector?.verdicts.block ?? 0);
    this.#count('verdictBlockAll', detector?.verdicts['block-all'] ?? 0);
    this.#count('verdictQuarantine', detector?.verdicts.quarantine ?? 0);
    this.#count('eventNewDestination', detector?.events['new-destination'] ?? 0);
    this.#count('eventGeneratedName', detector?.events['generated-name'] ?? 0);
    this.#count('eventUntold', detector?.events.untold ?? 0);
    this.#count('tunnelDropped', detector?.dropped ?? 0);
    this.#columns[At.cacheEntries] = cache.size;
    this.#columns[At.cacheOctets] = cache.memory;
    this.#columns[At.inFlight] = path.waiting;
    this.#columns[At.auditHealthy] = audit.healthy ? 1 : 0;
  }

  #publishSockets(): void {
    const sum = { batches: 0, received: 0, sent: 0, noSlot: 0, unsent: 0 };
    for (const { counters } of this.#from.sockets) {
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counters[key];
    }
    this.#count('udpBatches', sum.batches);
    this.#count('udpReceived', sum.received);
    this.#count('udpSent', sum.sent);
    this.#count('udpNoSlot', sum.noSlot);
    this.#count('udpUnsent', sum.unsent);
  }

  #publishStreams(): void {
    const { listeners } = this.#from;
    for (const [column, count] of streamCounts(listeners)) this.#count(column, count);
    this.#columns[At.streamOpen] = listeners.reduce((open, { counters }) => open + counters.open, 0);
  }

  #count(column: keyof typeof At, sinceStart: number): void {
    this.#columns[At[column]] = this.#before[At[column]] + sinceStart;
  }
}
