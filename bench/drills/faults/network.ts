/** Upstreams that lose, fall silent, go away and come back. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Claim, claim } from '../verdict.ts';
import { askAll, Client, freshNames, ms, say, tally } from './clients.ts';
import { RCODE } from './message.ts';
import { Room } from './room.ts';
import { FaultyUpstream } from './upstream.ts';

/** How long a drill is drawn out: 1 is short enough for the test suite. */
export type Effort = number;

/** 20 % of datagrams lost each way: nobody goes without an answer, 99 of 100 have it within 1.5 s. */
export async function loss(effort: Effort): Promise<Claim[]> {
  const upstream = await FaultyUpstream.start({ loss: 0.2 });
  const room = await Room.open({ upstreams: [upstream.address] });
  const client = await Client.open(room.port);
  try {
    const result = tally(await askAll([client], freshNames(400 * effort, 'other.test'), 100));
    return [
      claim('20 % lost each way: queries without an answer (0)', say(result), result.good === result.asked),
      claim('20 % lost each way: p99 (≤ 1.5 s)', ms(result.p99Ms), result.p99Ms <= 1500),
    ];
  } finally {
    client.close();
    await room.close();
    await upstream.goAway();
  }
}

/** Silent every other second; alone, and with a second upstream beside it. */
export async function flapping(effort: Effort): Promise<Claim[]> {
  const flaps = () => Math.floor(performance.now() / 1000) % 2 === 0;
  const upstream = await FaultyUpstream.start({ answers: flaps });
  const steady = await FaultyUpstream.start();
  const alone = await Room.open({ upstreams: [upstream.address] });
  const both = await Room.open({ upstreams: [upstream.address, steady.address] });
  const clients = [await Client.open(alone.port), await Client.open(both.port)];
  try {
    const [one, two] = await Promise.all(
      clients.map((client) => askAll([client], freshNames(500 * effort, 'other.test'), 100)),
    );
    const oneTally = tally(one!);
    const twoTally = tally(two!);
    return [
      claim(
        'silent every other second: queries lost (0)',
        say(oneTally),
        oneTally.lost === 0 && oneTally.other === 0,
      ),
      claim(
        'silent every other second: SERVFAIL (at most 1 %)',
        oneTally.servfail,
        oneTally.servfail <= 0.01 * oneTally.asked,
      ),
      claim(
        'the same with a second upstream: p99 (≤ 0.5 s)',
        say(twoTally),
        twoTally.good === twoTally.asked && twoTally.p99Ms <= 500,
      ),
    ];
  } finally {
    for (const client of clients) client.close();
    await alone.close();
    await both.close();
    await upstream.goAway();
    await steady.goAway();
  }
}

/** A closed port, and one that says nothing. */
export async function unanswered(): Promise<Claim[]> {
  const closed = await FaultyUpstream.start();
  await closed.goAway();
  const silent = await FaultyUpstream.start({ answers: () => false });
  const closedRoom = await Room.open({ upstreams: [closed.address] });
  const silentRoom = await Room.open({ upstreams: [silent.address] });
  const clients = [await Client.open(closedRoom.port), await Client.open(silentRoom.port)] as const;
  try {
    const refused = await askAll([clients[0]], freshNames(20, 'other.test'), 20);
    const refusedTally = tally(refused);
    const quiet = await askAll([clients[1]], freshNames(20, 'other.test'), 20, 8000);
    const quietTally = tally(quiet);
    const codes = new Set([...refused, ...quiet].flatMap(({ reply }) => reply?.extendedErrors ?? []));
    const said = [...refused, ...quiet].every(({ reply }) =>
      reply?.extendedErrors.some((code) => code === 22 || code === 23),
    );
    return [
      claim(
        'upstream closed: SERVFAIL within 0.1 s',
        say(refusedTally),
        refusedTally.servfail === 20 && refusedTally.maxMs <= 100,
      ),
      claim(
        'upstream silent: SERVFAIL within 4 s',
        say(quietTally),
        quietTally.servfail === 20 && quietTally.maxMs <= 4000,
      ),
      claim('extended error of both (22 or 23)', [...codes].join(', '), said),
    ];
  } finally {
    for (const client of clients) client.close();
    await closedRoom.close();
    await silentRoom.close();
    await silent.goAway();
  }
}

/** One of three falls silent: no client sees a failure, and the slowest hundredth waits twice the learned delay at most. */
export async function oneOfThree(effort: Effort): Promise<Claim[]> {
  const upstreams = await Promise.all([1, 2, 3].map(() => FaultyUpstream.start({ delayMs: 20 })));
  const room = await Room.open({ upstreams: upstreams.map(({ address }) => address) });
  const client = await Client.open(room.port);
  try {
    const before = tally(await askAll([client], freshNames(200 * effort, 'other.test'), 100));
    // The one asked most is the one to lose.
    const most = upstreams.reduce((a, b) => (b.askedFor('other.test') > a.askedFor('other.test') ? b : a));
    most.manners = { answers: () => false };
    const after = tally(await askAll([client], freshNames(600 * effort, 'other.test'), 100));
    return [
      claim('one of three silent: failures seen (0)', say(after), after.good === after.asked),
      claim(
        'one of three silent: p99 (≤ 2 × usual)',
        `${ms(after.p99Ms)} against ${ms(before.p99Ms)}`,
        after.p99Ms <= 2 * before.p99Ms,
      ),
    ];
  } finally {
    client.close();
    await room.close();
    for (const upstream of upstreams) await upstream.goAway();
  }
}

/** All upstreams gone, by silence or by a closed port, then back: the first answer within a second of the return. */
export async function allDown(): Promise<Claim[]> {
  return (await Promise.all([allDownBy('silent'), allDownBy('closed')])).flat();
}

async function allDownBy(kind: 'silent' | 'closed'): Promise<Claim[]> {
  const upstreams = [await FaultyUpstream.start(), await FaultyUpstream.start()];
  const room = await Room.open({ upstreams: upstreams.map(({ address }) => address) });
  const client = await Client.open(room.port);
  try {
    await askAll([client], freshNames(20, 'other.test'), 50);
    for (const upstream of upstreams) {
      if (kind === 'silent') upstream.manners = { answers: () => false };
      else await upstream.goAway();
    }
    const during = tally(await askAll([client], freshNames(100, 'other.test'), 20, 6000));
    if (kind === 'silent') upstreams[0]!.manners = {};
    else await upstreams[0]!.comeBack();
    const began = performance.now();
    let back = Number.POSITIVE_INFINITY;
    while (back === Number.POSITIVE_INFINITY && performance.now() - began < 5000) {
      void client.ask(freshNames(1, 'other.test')[0]!).then(({ reply }) => {
        if (reply?.rcode === RCODE.NOERROR) back = Math.min(back, performance.now() - began);
      });
      await sleep(20);
    }
    return [
      claim(`all ${kind}: every query had its SERVFAIL`, say(during), during.servfail === during.asked),
      claim(`all ${kind}, one back: first answer after (≤ 1 s)`, ms(back), back <= 1000),
    ];
  } finally {
    client.close();
    await room.close();
    for (const upstream of kind === 'silent' ? upstreams : [upstreams[0]!]) await upstream.goAway();
  }
}
