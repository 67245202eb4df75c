/**
 * What a sender who knows every rule can still move: for each way of writing, the highest steady rate that stays without a
 * verdict for 30 days, by bisection, and what of it leaves. `node …/bench/detect/search.js [--seed N] [--only TEXT]`
 */
import { HuntSession } from '../../src/cli/hunt-session.ts';
import { history } from './channels.ts';
import { Random } from './random.ts';
import { A, DAY, HOUR, type Made, SRV, START } from './traffic.ts';
import { type Asked, DOWN, EVASIONS, WAYS, type Way } from './ways.ts';

const option = (name: string, usual: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : process.argv[at + 1];
};
const seed = Number(option('seed', '1'));
const only = option('only', '');
const DAYS = 30;
const BEGIN = START + 4 * DAY;

/** The queries of one day from its beginning; `sent`: those of the days before. */
function ofDay(way: Way, random: Random, perDay: number, day: number, sent: number): Asked[] {
  if (way.day !== undefined) return way.day(random, perDay, day);
  const asked: Asked[] = [];
  const zones = way.zones ?? 1;
  // A rate below one a day is a rate too.
  for (let i = sent; (i * DAY) / perDay < (day + 1) * DAY; i++) {
    asked.push({
      atMs: (i * DAY) / perDay - day * DAY,
      client: `10.66.0.${i % (way.clients ?? 1)}`,
      name: `${way.label?.(random, i)}.${way.zone ?? `marigold-${i % zones}-parade.net`}`,
      type: way.type ?? A,
    });
  }
  return asked;
}

/** Six clients ask this zone for their directory, four days before. */
const home = (zone: string): Made[] =>
  Array.from({ length: 6 }, (_, i) => ({
    atMs: BEGIN - 4 * DAY + i * HOUR,
    client: `10.65.${i}.${i + 1}`,
    name: `_ldap._tcp.dc._msdcs.${zone}`,
    type: SRV,
    rcode: 0,
    octets: 150,
    payload: 0,
  }));

/** Queries that leave within the days when `perDay` names a day are asked; −1 when there is a verdict. */
function leaving(way: Way, perDay: number, days: number): number {
  const random = new Random(seed * 31 + way.name.length);
  let verdicts = 0;
  const session = new HuntSession({
    profile: 'default',
    onVerdict: (verdict) => {
      if (/^(10\.66|2001)/.test(verdict.client)) verdicts++;
    },
  });
  const zone = way.zone ?? 'marigold-0-parade.net';
  const traffic =
    way.established === true ? history(random, zone, BEGIN) : way.home === true ? home(zone) : [];
  traffic.sort((a, b) => a.atMs - b.atMs);
  for (const made of traffic) session.feed({ ...made, distinctAnswers: 1, line: 0, file: '' });
  const before = session.forwardedQueries;
  const [octets, distinctAnswers] = way.answer ?? [90, 1];
  let sent = 0;
  for (let day = 0; day < days; day += way.everyDays ?? 1) {
    // Where there is silence between, each burst is a day of its own.
    const asked =
      way.everyDays === undefined ? ofDay(way, random, perDay, day, sent) : ofDay(way, random, perDay, 0, 0);
    sent += asked.length;
    for (const { atMs, ...query } of asked) {
      session.feed({
        ...query,
        atMs: BEGIN + day * DAY + atMs,
        rcode: 0,
        octets,
        distinctAnswers,
        line: 0,
        file: '',
      });
      if (verdicts > 0) return -1;
    }
  }
  return session.forwardedQueries - before;
}

function row(way: Way): void {
  // Bursts are looked at over four periods, what is steady over 30 days.
  const days = way.everyDays === undefined ? DAYS : way.everyDays * 4;
  let high = way.most ?? 20_000;
  let low = high;
  let left = leaving(way, low, days);
  // From above, because a slower sender is sometimes the more conspicuous one: several bounds are in play.
  while (left < 0 && low * DAYS >= 1) {
    high = low;
    low *= 0.7;
    left = leaving(way, low, days);
  }
  while (left >= 0 && high - low > 0.02 * high) {
    const middle = Math.sqrt(low * high);
    const now = leaving(way, middle, days);
    if (now >= 0) {
      low = middle;
      left = now;
    } else high = middle;
  }
  const bits = typeof way.bits === 'number' ? way.bits : low < 1 ? 0 : way.bits(low);
  const octets = (Math.max(0, left) * bits) / 8 / days;
  console.log(
    `${way.name.padEnd(66)} ${low.toFixed(1).padStart(9)} ${(Math.max(0, left) / days).toFixed(1).padStart(9)} ${octets.toFixed(0).padStart(11)} ${(octets * 30).toFixed(0).padStart(18)}`,
  );
}

console.log(`seed ${seed}; ${DAYS} days`);
for (const [title, ways] of [
  ['names that say something new', WAYS],
  ['what a reader of the source would try', EVASIONS],
  ['download: one name, what its answers bring', DOWN],
] as const) {
  console.log(`\n${title.padEnd(66)} asked/day  left/day  octets/day  octets in 30 days`);
  for (const way of ways) if (way.name.includes(only)) row(way);
}
