/** A lying upstream never leads to a wrong answer, a crash, a leak, or a wait beyond the client's budget. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serving } from '../e2e/processes.ts';
import { heard, type Transport } from './client.ts';
import { faultsOf, startServing } from './house.ts';
import { LIES, type Outcome, VICTIM_NAME } from './lies.ts';
import { addresses, opt, query, type Seen } from './message.ts';
import { POISON, ScriptedUpstream, TRUTH } from './upstream.ts';

/** The client's deadline of this house, and what a busy machine may add. */
const BUDGET_MS = 1000 + 700;
const TTL_MAX = 86_400;

let upstream: ScriptedUpstream;
let serving: Serving;
let asked = 0;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start(
    Object.fromEntries(Object.entries(LIES).map(([label, { does }]) => [label, does])),
  );
  serving = await startServing(upstream.address);
});

afterAll(async () => {
  expect(await faultsOf(serving)).toEqual([]);
  // One entry for each query, however it ended.
  let entries = 0;
  for (let i = 0; i < 50 && entries < asked; i++) {
    entries = serving.entries().length;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(entries).toBe(asked);
  expect(await serving.stop()).toBe(0);
  await upstream.stop();
});

async function ask(transport: Transport, name: string, type: number): Promise<Seen> {
  const started = performance.now();
  asked++;
  const octets = query(name, type, { id: 0x4a4a, additional: [opt()] });
  const seen = await heard(transport, serving.port, octets);
  expect(performance.now() - started).toBeLessThan(BUDGET_MS);
  return seen;
}

function outcomeOf(seen: Seen): Outcome {
  if (seen.rcode === 2) return 'servfail';
  if (seen.rcode === 3) return 'nxdomain';
  if (seen.rcode === 0 && seen.answer.length === 0) return 'nodata';
  expect([...new Set(addresses(seen))]).toEqual([TRUTH]);
  return 'truth';
}

/** What holds for every response, whatever the upstream did. */
function expectClean(seen: Seen, name: string): void {
  expect(addresses(seen)).not.toContain(POISON);
  expect(
    [...seen.answer, ...seen.authority, ...seen.additional].every(({ class: rrclass }) => rrclass === 1),
  ).toBe(true);
  expect(seen.answer.every(({ owner, ttl }) => owner.toLowerCase() === name && ttl <= TTL_MAX)).toBe(true);
  expect(seen.additional).toEqual([]);
  expect([...seen.flags].sort()).toEqual(['qr', 'ra', 'rd']);
  expect(seen.authority.every(({ type }) => type === 6)).toBe(true);
  expect(seen.authority.length).toBeLessThanOrEqual(1);
}

describe.each(['udp', 'tcp'] as const)('to a client over %s', (transport: Transport) => {
  test.concurrent.each(Object.entries(LIES).map(([label, lie]) => ({ label, ...lie })))(
    '$label: $what',
    async ({ label, may, type, kept }) => {
      const name = `${transport}.${label}.example.com`;
      const first = await ask(transport, name, type ?? 1);
      expect(may).toContain(outcomeOf(first));
      expectClean(first, name);
      // What was heard once does not get worse by being kept.
      const again = await ask(transport, name, type ?? 1);
      expect(may).toContain(outcomeOf(again));
      expectClean(again, name);
      if (kept) expect(upstream.askedFor(name)).toHaveLength(1);
    },
  );

  test('an honest name is still answered, and nothing that was slipped in is served', async () => {
    for (const name of [
      VICTIM_NAME,
      `${transport}.honest.example.com`,
      'ns.evil.example.com',
      'x.evil.example.com',
    ]) {
      const seen = await ask(transport, name, 1);
      expect({ name, addresses: addresses(seen) }).toEqual({ name, addresses: [TRUTH] });
    }
  });
});

test('there are at least 38 lies, and each was told', () => {
  expect(Object.keys(LIES).length).toBeGreaterThanOrEqual(38);
  for (const label of Object.keys(LIES)) {
    expect({ label, asked: upstream.askedFor(`udp.${label}.example.com`).length }).not.toEqual({
      label,
      asked: 0,
    });
  }
});
