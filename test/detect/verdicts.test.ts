import { beforeEach, describe, expect, test } from 'vitest';
import { type Block, createDetectMemory, createFastPath, type Verdict } from '../../src/detect/index.ts';
import { type ReleaseRequest, Verdicts } from '../../src/verdicts.ts';
import { nameOctets, Question, Rrtype } from '../../src/wire/index.ts';

const SEED = 77;
const START = 1_800_000_000_000;
const DAY_MS = 86_400_000;
const HELD = 'q7xk2m9vzr4t8w1p3s6y5b0nqcjh2gfd7l4xk9vm2z.evil.test';

let fast: ReturnType<typeof createFastPath>;
let verdicts: Verdicts;
let told: Block[];
beforeEach(() => {
  const memory = createDetectMemory({ pairs: 1024, zones: 1024, clients: 1024, names: 1024 });
  fast = createFastPath({ memory, seed: SEED });
  told = [];
  verdicts = new Verdicts(memory, SEED, (block) => told.push(block));
});

const OF_GROUP = { group: 'staff', action: 'block' as const, left: { queries: 3, octets: 40 } };

const questionOf = (name: string): Question => new Question(SEED).set(nameOctets(name), Rrtype.TXT);
const octetsOf = (client: string): Uint8Array => Uint8Array.from(client.split('.'), Number);
const isHeld = (name: string, client: string, nowMs = START + 2000): boolean =>
  fast.check(questionOf(name), octetsOf(client), 4, nowMs, 'default') !== null;

/** The fast path stops a name, and the list hears of it as from a data thread. */
function stop(client: string, name = HELD, nowMs = START): Verdict {
  const alarm = fast.check(questionOf(name), octetsOf(client), 4, nowMs, 'default');
  if (alarm === null) throw new Error(`${name} was not stopped`);
  const verdict: Verdict = {
    ...fast.charge,
    ...alarm,
    action: 'block',
    firstSeenMs: nowMs,
    decidedAtMs: nowMs,
  };
  verdicts.note({ ...OF_GROUP, verdict, zone: alarm.zone, client });
  return verdict;
}

/** A verdict of the slow view on a zone or a client. */
function decide(scope: 'domain' | 'client', zone: string, client: string): void {
  const block = fast.blockOf(scope, questionOf(zone), octetsOf(client), 4);
  const verdict: Verdict = {
    ...block,
    action: 'block',
    rule: scope,
    scoreBits: 9000,
    limitBits: 8192,
    firstSeenMs: START - DAY_MS,
    decidedAtMs: START,
    untilMs: START + DAY_MS,
    evidence: ['Counted.'],
  };
  fast.apply(verdict, zone);
  verdicts.note({ ...OF_GROUP, verdict, zone, client });
}

describe('the list', () => {
  test('shows a verdict with its client, zone, bits, times and evidence', () => {
    stop('192.0.2.7');
    expect(verdicts.list(START + 1000)).toMatchObject([
      {
        client: '192.0.2.7',
        zone: 'evil.test',
        scope: 'client+domain',
        rule: 'name',
        state: 'held',
        limitBits: 150,
        since: new Date(START).toISOString(),
        until: new Date(START + DAY_MS).toISOString(),
      },
    ]);
    expect(verdicts.list(START)[0].evidence[0]).toContain('evil.test says about');
    expect(verdicts.list(START + 2 * DAY_MS)[0].state).toBe('over');
  });

  test('takes what two threads tell at once as one verdict, and a later one as new', () => {
    const verdict = stop('192.0.2.7');
    const found = { ...OF_GROUP, zone: 'evil.test', client: '192.0.2.7' };
    expect(verdicts.note({ ...found, verdict: { ...verdict, decidedAtMs: START + 5 } })).toBe(false);
    expect(verdicts.note({ ...found, verdict: { ...verdict, decidedAtMs: START + 2 * DAY_MS } })).toBe(true);
    expect(verdicts.list(START)).toHaveLength(1);
  });

  test('holds a thousand at most, the newest first', () => {
    const verdict = stop('192.0.2.7');
    for (let i = 0; i < 1500; i++)
      verdicts.note({
        ...OF_GROUP,
        verdict: { ...verdict, clientA: i, clientB: i },
        zone: `z${i}.test`,
        client: '192.0.2.8',
      });
    const list = verdicts.list(START);
    expect([list.length, list[0].zone, list.at(-1)?.zone]).toEqual([1000, 'z1499.test', 'z500.test']);
  });

  test('names no client for a zone, and no zone for a client', () => {
    decide('domain', 'evil.test', '192.0.2.7');
    decide('client', 'evil.test', '192.0.2.7');
    expect(verdicts.list(START).map(({ client, zone }) => [client, zone])).toEqual([
      ['192.0.2.7', null],
      [null, 'evil.test'],
    ]);
  });
});

describe('release', () => {
  test.each<{ asked: ReleaseRequest; released: number; stillHeld: string[] }>([
    { asked: { client: '192.0.2.7', zone: 'EVIL.test.' }, released: 1, stillHeld: [] },
    { asked: { client: null, zone: 'evil.test' }, released: 2, stillHeld: ['192.0.2.7 other.test'] },
    { asked: { client: '192.0.2.7', zone: null }, released: 2, stillHeld: ['192.0.2.8 evil.test'] },
  ])('of $asked.client and $asked.zone', ({ asked, released, stillHeld }) => {
    stop('192.0.2.7');
    if (stillHeld.length > 0) {
      stop('192.0.2.8');
      stop('192.0.2.7', HELD.replace('evil', 'other'));
    }
    const outcome = verdicts.release(asked, START + 1000);
    expect(outcome.ok && outcome.released.length).toBe(released);
    expect(told).toHaveLength(released);
    const shown = verdicts.list(START + 1000);
    expect(shown.filter(({ state }) => state === 'released')).toHaveLength(released);
    const held = shown.filter(({ state }) => state === 'held').map(({ client, zone }) => `${client} ${zone}`);
    expect(held).toEqual(stillHeld);
    if (stillHeld.length === 0) expect(isHeld('www.evil.test', '192.0.2.7')).toBe(false);
  });

  test('ends a verdict on a zone for everybody, one on a client for every zone', () => {
    decide('domain', 'evil.test', '192.0.2.7');
    expect(isHeld('www.evil.test', '198.51.100.9')).toBe(true);
    expect(verdicts.release({ client: '192.0.2.7', zone: 'evil.test' }, START)).toMatchObject({
      released: [],
      stillHeld: [{ client: null, zone: 'evil.test', scope: 'domain' }],
    });
    verdicts.release({ client: null, zone: 'evil.test' }, START + 3000);
    expect(isHeld('www.evil.test', '198.51.100.9', START + 4000)).toBe(false);
    decide('client', 'evil.test', '192.0.2.7');
    expect(verdicts.release({ client: '192.0.2.7', zone: null }, START + 5000)).toMatchObject({ ok: true });
  });

  test('does not excuse what comes next: the same name is stopped again', () => {
    stop('192.0.2.7');
    verdicts.release({ client: '192.0.2.7', zone: 'evil.test' }, START + 1000);
    stop('192.0.2.7', HELD, START + 2000);
    expect(verdicts.list(START + 2000).map(({ state }) => state)).toEqual(['held']);
  });

  test('finds a block that no list knows, as after a restart', () => {
    fast.check(questionOf(HELD), octetsOf('192.0.2.7'), 4, START, 'default');
    expect(verdicts.release({ client: '192.0.2.7', zone: 'evil.test' }, START)).toMatchObject({ ok: true });
    expect(isHeld('www.evil.test', '192.0.2.7')).toBe(false);
  });

  test.each<{ asked: ReleaseRequest; status: number; says: RegExp }>([
    { asked: { client: null, zone: null }, status: 400, says: /a client, a zone, or both/ },
    { asked: { client: 'evil.test', zone: null }, status: 400, says: /not an IP address; write for example/ },
    { asked: { client: null, zone: 'a..b' }, status: 400, says: /write for example example\.com/ },
    {
      asked: { client: '192.0.2.7', zone: 'good.test' },
      status: 404,
      says: /nothing is held for client 192/,
    },
  ])('says what is wrong with $asked.client and $asked.zone', ({ asked, status, says }) => {
    const outcome = verdicts.release(asked, START);
    expect(outcome).toMatchObject({ ok: false, status });
    expect(outcome.ok ? '' : outcome.fault).toMatch(says);
  });
});
