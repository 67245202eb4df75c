/** What the stream listeners of a thread have counted, added up and in the words of the metrics. */
import type { CloseReason, Listener, ListenerCounters } from './listen/index.ts';
import { At, type PlainName } from './metrics/index.ts';

/** Why connections are closed; the ordinary end is not counted. */
const CLOSED_AS: Record<CloseReason, PlainName | null> = {
  peer: null,
  shutdown: null,
  idle: 'streamClosedIdle',
  evicted: 'streamClosedLimit',
  'client-limit': 'streamClosedLimit',
  'handshake-limit': 'streamClosedLimit',
  spent: 'streamClosedLimit',
  abuse: 'streamClosedLimit',
  'slow-message': 'streamClosedStalled',
  'slow-reader': 'streamClosedStalled',
  malformed: 'streamClosedMalformed',
  handshake: 'streamClosedHandshake',
};

/** The counters of all listeners together, by column; what no listener has counted yet is 0 or missing. */
export function streamCounts(listeners: readonly Listener[]): ReadonlyMap<PlainName, number> {
  const sums = new Map<PlainName, number>();
  for (const { counters } of listeners) {
    for (const [column, count] of countsOf(counters)) sums.set(column, (sums.get(column) ?? 0) + count);
  }
  return sums;
}

function* countsOf(counters: ListenerCounters): Generator<[PlainName, number]> {
  yield ['streamAccepted', counters.accepted];
  yield ['streamPaused', counters.paused];
  yield ['streamGone', counters.cancelled];
  yield ['streamDropped', counters.discarded];
  yield ['tlsFull', counters.handshakes - counters.resumed];
  yield ['tlsResumed', counters.resumed];
  yield ['tlsFailed', counters.handshakesFailed];
  yield ['tlsRefused', counters.closed['handshake-limit']];
  yield ['http2ResetStreams', counters.streamsReset.streams];
  yield ['http2ResetUrls', counters.streamsReset.urls];
  yield ['http2ResetOutput', counters.streamsReset.output];
  for (const [reason, count] of Object.entries(counters.closed) as [CloseReason, number][]) {
    const column = CLOSED_AS[reason];
    if (column !== null) yield [column, count];
  }
  for (const [status, count] of Object.entries(counters.httpErrors)) {
    const column = `http${status}`;
    yield [column in At ? (column as PlainName) : 'httpOther', count];
  }
}
