/** From limits as they are written in the settings to those of the stream listeners of one thread. */
import type { Settings } from './config/index.ts';
import { DEFAULT_LIMITS, type LimitSettings } from './listen/index.ts';

/** `clientsMax` and `isForwarder` are those of the defaults: only the thread knows its share and its policy. */
export const streamLimits = (limits: Settings['limits']): LimitSettings => ({
  ...DEFAULT_LIMITS,
  messagesMax: limits.slots,
  clientsPerAddress: limits.tcpClientsPerAddress,
  inFlightMax: limits.tcpPipeline,
  queriesMax: limits.tcpQueries,
  ageMs: limits.tcpAge,
  idleMs: limits.tcpIdle,
  messageMs: limits.tcpMessage,
  handshakeMs: limits.tlsHandshake,
  handshakesPerSecond: limits.tlsHandshakesPerSecond,
  unreadMax: limits.tcpOutput,
  unreadTotalMax: limits.tcpOutputTotal,
  streamsMax: limits.http2Streams,
  resetsMax: limits.http2Resets,
});
