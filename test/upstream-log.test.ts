import { describe, expect, test } from 'vitest';
import { UpstreamLog } from '../src/upstream-log.ts';

const trouble = (message: string, server = '192.0.2.53:53') =>
  ({ event: 'link-error', pool: 'default', server, message }) as const;

describe('UpstreamLog', () => {
  test('says the same trouble once a minute, and then how often it was', () => {
    let nowMs = 0;
    const said: object[] = [];
    const log = new UpstreamLog(
      (_, fields) => said.push(fields),
      () => nowMs,
    );
    for (; nowMs < 60_000; nowMs += 1000) log.take(trouble('ENETUNREACH'));
    expect(said).toEqual([trouble('ENETUNREACH')]);
    log.take(trouble('ENETUNREACH'));
    expect(said.slice(1)).toEqual([{ ...trouble('ENETUNREACH'), unsaid: 59 }]);
  });

  test('says another trouble, another server and every change of state at once', () => {
    const said: string[] = [];
    const log = new UpstreamLog(
      (level, fields, message) => said.push(`${level} ${JSON.stringify(fields)} ${message}`),
      () => 0,
    );
    const down = { event: 'server-down', pool: 'a', server: 's', reason: 'silent' } as const;
    const up = { event: 'server-up', pool: 'a', server: 's', downMs: 5 } as const;
    for (const event of [trouble('one'), trouble('two'), trouble('one', 's'), down, up, down, up])
      log.take(event);
    expect(said).toHaveLength(7);
    expect(said[3]).toBe(
      'warn {"event":"server-down","pool":"a","server":"s","reason":"silent"} an upstream is down',
    );
    expect(said[6]).toMatch(/^info .* an upstream answers again$/);
  });

  test('keeps a bounded number of troubles in mind', () => {
    let count = 0;
    const log = new UpstreamLog(
      () => count++,
      () => 0,
    );
    for (let i = 0; i < 3000; i++) log.take(trouble(`trouble ${i}`));
    expect(count).toBe(3000);
    // The first are forgotten, so that they are said again; the newest are not.
    log.take(trouble('trouble 0'));
    log.take(trouble('trouble 2999'));
    expect(count).toBe(3001);
  });
});
