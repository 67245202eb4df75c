import { describe, expect, test } from 'vitest';
import { Settings } from '../src/config/settings.ts';
import { DEFAULT_LIMITS, type LimitSettings } from '../src/listen/index.ts';
import { streamLimits } from '../src/stream-limits.ts';

const limitsOf = (limits: object): Settings['limits'] => Settings.parse({ limits }).limits;

describe('limits of stream listeners', () => {
  test('are the defaults of the room when nothing is written', () => {
    expect(streamLimits(limitsOf({}))).toEqual(DEFAULT_LIMITS);
  });

  test.each<[setting: string, written: string | number, field: keyof LimitSettings, becomes: number]>([
    ['slots', 512, 'messagesMax', 512],
    ['tcpClientsPerAddress', 5, 'clientsPerAddress', 5],
    ['tcpPipeline', 7, 'inFlightMax', 7],
    ['tcpQueries', 9, 'queriesMax', 9],
    ['tcpAge', '10m', 'ageMs', 600_000],
    ['tcpIdle', '2s', 'idleMs', 2000],
    ['tcpMessage', '200ms', 'messageMs', 200],
    ['tlsHandshake', '300ms', 'handshakeMs', 300],
    ['tlsHandshakesPerSecond', 40, 'handshakesPerSecond', 40],
    ['tcpOutput', '64KiB', 'unreadMax', 65_536],
    ['tcpOutputTotal', '1MiB', 'unreadTotalMax', 1_048_576],
    ['http2Streams', 11, 'streamsMax', 11],
    ['http2Resets', 13, 'resetsMax', 13],
  ])('%s: %s is %s of %d, and moves nothing else', (setting, written, field, becomes) => {
    const expected = { ...DEFAULT_LIMITS, [field]: becomes };
    expect(streamLimits(limitsOf({ [setting]: written }))).toEqual(expected);
  });
});
