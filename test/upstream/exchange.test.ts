/** What a lying, broken or silent server may do, and what becomes of the question. */
import { describe, expect, test } from 'vitest';
import type { UpstreamFailure } from '../../src/upstream/index.ts';
import { ask, marksOf } from './asking.ts';
import { type Query, reply, type Script } from './scripted-server.ts';
import { world } from './world.ts';

const TRUTH = '192.0.2.1';
const FORGED = '203.0.113.66';
const truth = (query: Query): Buffer => reply(query, { addresses: [TRUTH] });
const forged = (query: Query, edit: (message: Buffer) => Buffer): Buffer =>
  reply(query, { addresses: [FORGED], edit });

/** Sends something false at once and the truth a little later. */
const afterwardsTruth =
  (falsehood: (query: Query) => Buffer | Buffer[]): Script =>
  (query) => {
    for (const message of [falsehood(query)].flat()) query.raw(message);
    setTimeout(() => query.send(truth(query)), 40);
  };

const flip = (at: number, mask: number) => (message: Buffer) => {
  message[at] ^= mask;
  return message;
};

/** Behind the question: one record whose name is a pointer to itself, or forwards. */
const withPointer = (target: number) => (message: Buffer) => {
  const at = message.indexOf(Buffer.from([0xc0, 12]));
  message.writeUInt16BE(0xc000 | target, at);
  return message;
};

/** A reply whose only record is this one. */
const withOneAnswer = (query: Query, record: Buffer): Buffer => {
  const head = Buffer.from(query.message.subarray(0, query.questionEnd));
  head[2] |= 0x80;
  head.writeUInt16BE(1, 6);
  head.writeUInt16BE(0, 10);
  return Buffer.concat([head, record]);
};

describe.each(['native', 'portable'] as const)('a reply over %s sockets', (engine) => {
  test.each([
    { name: 'of another id', falsehood: (query: Query) => forged(query, flip(1, 0xff)) },
    { name: 'of another name', falsehood: (query: Query) => forged(query, flip(13, 0x01)) },
    { name: 'of another type', falsehood: (query: Query) => forged(query, (m) => flip(14 + 17, 0x0c)(m)) },
    { name: 'of another class', falsehood: (query: Query) => forged(query, (m) => flip(16 + 17, 0x02)(m)) },
    { name: 'without QR', falsehood: (query: Query) => forged(query, flip(2, 0x80)) },
    { name: 'with another opcode', falsehood: (query: Query) => forged(query, flip(2, 0x28)) },
    { name: 'without a question', falsehood: (query: Query) => forged(query, flip(5, 0x01)) },
    { name: 'with two questions', falsehood: (query: Query) => forged(query, flip(5, 0x03)) },
    { name: 'that is a header only', falsehood: (query: Query) => reply(query).subarray(0, 12) },
    { name: 'that is empty', falsehood: () => Buffer.alloc(0) },
    { name: 'of five octets', falsehood: (query: Query) => reply(query).subarray(0, 5) },
    { name: 'cut off in the answer', falsehood: (query: Query) => reply(query).subarray(0, 40) },
    {
      name: 'with octets behind its last record',
      falsehood: (query: Query) => forged(query, (message) => Buffer.concat([message, Buffer.alloc(3)])),
    },
    {
      name: 'whose alias points at itself',
      falsehood: (query: Query) => {
        const here = query.questionEnd + 12;
        return withOneAnswer(query, Buffer.from([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 2, 0xc0, here]));
      },
    },
    {
      name: 'whose alias goes past its rdata',
      falsehood: (query: Query) =>
        withOneAnswer(query, Buffer.from([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 3, 5, 0x61, 0x62])),
    },
    {
      name: 'whose address has five octets',
      falsehood: (query: Query) =>
        withOneAnswer(query, Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 5, 1, 2, 3, 4, 5])),
    },
    {
      name: 'whose owner is a run of pointers into its header',
      falsehood: (query: Query) =>
        withOneAnswer(query, Buffer.from([0xc0, 2, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 3, 4])),
    },
    { name: 'with more records than octets', falsehood: (query: Query) => forged(query, flip(6, 0x40)) },
    { name: 'whose name points at itself', falsehood: (query: Query) => forged(query, withPointer(33)) },
    { name: 'whose name points forwards', falsehood: (query: Query) => forged(query, withPointer(300)) },
    {
      name: 'with a client subnet that nobody sent',
      falsehood: (query: Query) =>
        reply(query, {
          addresses: [FORGED],
          options: [{ code: 8, data: Buffer.from([0, 1, 24, 0, 192, 0, 2]) }],
        }),
    },
    {
      name: 'with two OPT records',
      falsehood: (query: Query) =>
        forged(query, (message) => {
          message.writeUInt16BE(2, 10);
          return Buffer.concat([message, Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0])]);
        }),
    },
    {
      name: 'whose option is longer than its record',
      falsehood: (query: Query) =>
        reply(query, {
          addresses: [FORGED],
          options: [{ code: 15, data: Buffer.alloc(4) }],
          edit: (message) => {
            message[message.length - 5] = 200;
            return message;
          },
        }),
    },
    {
      name: 'that is noise',
      falsehood: () => Buffer.from(Array.from({ length: 200 }, (_, i) => (i * 37 + 11) & 0xff)),
    },
  ])('$name is counted, and the wait for the truth goes on', async ({ falsehood }) => {
    const { upstreams, servers } = await world([afterwardsTruth(falsehood)], { engine, tcp: false });
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(marksOf(told)).toEqual([TRUTH]);
    expect(servers[0].queries).toHaveLength(1);
    // An empty datagram may be dropped by the engine.
    if (falsehood(servers[0].queries[0]).toString() !== '') expect(upstreams.state()[0].mismatched).toBe(1);
  });

  test('comes only from the server: another source is not heard', async () => {
    const { createSocket } = await import('node:dgram');
    const liar = createSocket('udp4');
    const { upstreams } = await world(
      [
        (query) => {
          liar.send(
            forged(query, (message) => message),
            query.port,
            '127.0.0.1',
          );
          setTimeout(() => query.send(truth(query)), 40);
        },
      ],
      { engine, tcp: false },
    );
    const told = await ask(upstreams, 'www.example.com');
    liar.close();
    expect(marksOf(told)).toEqual([TRUTH]);
    expect(upstreams.state()[0].mismatched).toBe(0);
  });

  test('that comes twice is told once', async () => {
    const { upstreams } = await world(
      [
        (query) => {
          query.send(truth(query));
          query.send(truth(query));
        },
      ],
      { engine },
    );
    expect(marksOf(await ask(upstreams, 'www.example.com'))).toEqual([TRUTH]);
    expect(marksOf(await ask(upstreams, 'www.example.com'))).toEqual([TRUTH]);
    expect(upstreams.counters.answered).toBe(2);
  });

  test('that nobody believes three times over UDP is fetched over TCP', async () => {
    const { upstreams, servers } = await world(
      [
        (query) => {
          if (query.transport === 'tcp') query.send(truth(query));
          else for (let i = 0; i < 3; i++) query.send(forged(query, flip(13, 0x01)));
        },
      ],
      { engine },
    );
    const told = await ask(upstreams, 'www.example.com');
    expect(marksOf(told)).toEqual([TRUTH]);
    expect(told.ms).toBeLessThan(150);
    expect(servers[0].queries.map((query) => query.transport)).toEqual(['udp', 'tcp']);
  });

  test('is fetched over TCP, and the port given up, when guesses flood the socket', async () => {
    const { upstreams, servers, events } = await world(
      [
        (query) => {
          if (query.transport === 'tcp') query.send(truth(query));
          else for (let i = 1; i <= 60; i++) query.send(forged(query, (m) => flip(1, i)(m)));
        },
      ],
      { engine },
    );
    const told = await ask(upstreams, 'www.example.com');
    expect(marksOf(told)).toEqual([TRUTH]);
    const [first] = servers[0].queries;
    expect(events).toContainEqual(expect.objectContaining({ event: 'flood', localPort: first.port }));
    servers[0].script = (query) => query.send(truth(query));
    for (let i = 0; i < 20; i++) await ask(upstreams, `n${i}.example.com`);
    expect(servers[0].queries.slice(2).map((query) => query.port)).not.toContain(first.port);
  });

  test('is never the truncated part: TC is followed over TCP', async () => {
    const { upstreams, servers } = await world(
      [
        (query) =>
          query.send(
            query.transport === 'udp' ? forged(query, (message) => flip(2, 0x02)(message)) : truth(query),
          ),
      ],
      { engine },
    );
    const told = await ask(upstreams, 'www.example.com');
    expect(marksOf(told)).toEqual([TRUTH]);
    expect(servers[0].queries.map((query) => query.transport)).toEqual(['udp', 'tcp']);
    expect(upstreams.state()[0].truncated).toBe(1);
  });
});

const FORGED_OCTETS = Buffer.from(FORGED.split('.').map(Number));

const withoutOpt = (message: Buffer): Buffer => {
  if (message.readUInt16BE(10) === 0) return message;
  message.writeUInt16BE(0, 10);
  return message.subarray(0, message.length - 11);
};

/** No answer, no SOA, but the name servers of `com`. */
const referral = (query: Query): Buffer => {
  const message = withoutOpt(reply(query, { addresses: [] }));
  message.writeUInt16BE(1, 8);
  // com. 3600 IN NS n.<the question>
  const record = Buffer.from('03636f6d000002000100000e100004016ec00c', 'hex');
  return Buffer.concat([message, record]);
};

describe('a server that', () => {
  const good: Script = (query) => query.send(truth(query));
  const says =
    (rcode: number): Script =>
    (query) =>
      query.send(reply(query, { rcode }));

  test.each([
    { name: 'says SERVFAIL', bad: says(2), messages: 1 },
    { name: 'says REFUSED', bad: says(5), messages: 1 },
    { name: 'says NOTIMP', bad: says(4), messages: 1 },
    { name: 'says FORMERR, with EDNS and without', bad: says(1), messages: 2 },
    { name: 'says NOTAUTH', bad: says(9), messages: 1 },
    { name: 'says an rcode that nobody has given a meaning', bad: says(15), messages: 1 },
    {
      name: 'says NOTIMP without OPT, with EDNS and without',
      bad: ((query) => query.send(withoutOpt(reply(query, { rcode: 4 })))) satisfies Script,
      messages: 2,
    },
    {
      name: 'tells where to ask, and goes there no more than we do (RFC 2308 section 2.2)',
      bad: ((query) => query.send(referral(query))) satisfies Script,
      messages: 1,
    },
    {
      name: 'is truncated even over TCP',
      bad: ((query) => query.send(reply(query, { truncated: true }))) satisfies Script,
      messages: 2,
    },
    {
      name: 'closes the TCP connection in mid-message',
      bad: ((query) => {
        if (query.transport === 'udp') query.send(reply(query, { truncated: true }));
        else {
          query.raw(Buffer.from([0, 60, 1, 2, 3]));
          setTimeout(() => query.connection?.destroy(), 5);
        }
      }) satisfies Script,
    },
  ])('$name gives way to the next', async ({ bad, messages }) => {
    const { upstreams, servers } = await world([bad, good], { pool: { strategy: 'ordered' } });
    const told = await ask(upstreams, 'www.example.com');
    expect(marksOf(told)).toEqual([TRUTH]);
    expect(told.ms).toBeLessThan(300);
    expect(told.server).toBe(`127.0.0.1:${servers[1].port}`);
    if (messages !== undefined) expect(servers[0].queries).toHaveLength(messages);
  });

  test('sends what the asker can make nothing of gives way to the next; the last one is a failure', async () => {
    const useless: Script = (query) => query.send(reply(query, { addresses: [FORGED] }));
    const isUsable = (message: Uint8Array): boolean => !Buffer.from(message).includes(FORGED_OCTETS);
    const both = await world([useless, good], { pool: { strategy: 'ordered' } });
    const told = await ask(both.upstreams, 'www.example.com', { isUsable });
    expect(marksOf(told)).toEqual([TRUTH]);
    expect(told.server).toBe(`127.0.0.1:${both.servers[1].port}`);
    expect(both.upstreams.counters.answered).toBe(1);
    const alone = await world([useless]);
    expect((await ask(alone.upstreams, 'www.example.com', { isUsable })).failure).toBe('unusable');
    expect(alone.servers[0].queries).toHaveLength(1);
    expect(alone.upstreams.counters).toMatchObject({ answered: 0, unusable: 1 });
  });

  test('tells where to ask like all others is no answer', async () => {
    const { upstreams } = await world([(query) => query.send(referral(query))]);
    expect((await ask(upstreams, 'www.example.com')).failure).toBe('unusable');
  });

  test('says SERVFAIL is quoted at once when all others are down', async () => {
    const { upstreams, servers } = await world([() => undefined, good], { pool: { strategy: 'ordered' } });
    for (let i = 0; upstreams.state()[0].healthy && i < 20; i++) {
      await ask(upstreams, `n${i}.example.com`, { budgetMs: 1000 });
    }
    expect(upstreams.state()[0].healthy).toBe(false);
    servers[1].script = says(2);
    const before = servers[0].queries.length;
    const told = await ask(upstreams, 'www.example.com', { budgetMs: 3000 });
    expect(told.rcode).toBe(2);
    // Nothing but probes went to the one that is down.
    expect(servers[0].queries.slice(before).every(({ name }) => name === '')).toBe(true);
    expect(told.ms).toBeLessThan(2500);
  });

  test('sends FORMERR without the question is asked without EDNS besides; the wait goes on', async () => {
    const bare = (query: Query): Buffer => {
      const header = Buffer.alloc(12);
      header.writeUInt16BE(query.id, 0);
      header.writeUInt16BE(0x8181, 2);
      return header;
    };
    const old = await world([
      (query) => query.send(query.message.readUInt16BE(10) > 0 ? bare(query) : truth(query)),
    ]);
    expect(marksOf(await ask(old.upstreams, 'www.example.com'))).toEqual([TRUTH]);
    expect(old.servers[0].queries.map(({ message }) => message.readUInt16BE(10))).toEqual([1, 0]);
    // Forged, before the true reply to the question with EDNS: that one is still listened to.
    const forgedFirst = await world([
      (query) => {
        if (query.message.readUInt16BE(10) === 0) return;
        query.send(bare(query));
        setTimeout(() => query.send(truth(query)), 40);
      },
    ]);
    expect(marksOf(await ask(forgedFirst.upstreams, 'www.example.com'))).toEqual([TRUTH]);
  });

  test('is asked over UDP again when guesses drove the question to TCP, and TCP is closed', async () => {
    const { upstreams, servers } = await world([
      (query) => {
        if (query.transport === 'tcp') query.connection?.destroy();
        else if (query.count > 0) query.send(truth(query));
        else for (let i = 1; i <= 60; i++) query.send(forged(query, (m) => flip(1, i)(m)));
      },
    ]);
    expect(marksOf(await ask(upstreams, 'www.example.com'))).toEqual([TRUTH]);
    const udp = servers[0].queries.filter(({ transport }) => transport === 'udp');
    expect(new Set(udp.map(({ port }) => port)).size).toBe(2);
  });

  test('closes every TCP connection is unreachable, not slow', async () => {
    const { upstreams } = await world([
      (query) => {
        if (query.transport === 'udp') query.send(reply(query, { truncated: true }));
        else query.connection?.destroy();
      },
    ]);
    expect((await ask(upstreams, 'www.example.com')).failure).toBe('unreachable');
  });

  test('sends back a client cookie that is not ours is asked over TCP (RFC 7873 section 5.3)', async () => {
    const { upstreams, servers } = await world([
      (query) => {
        if (query.transport === 'tcp') query.send(truth(query));
        else
          query.send(
            reply(query, { addresses: [FORGED], options: [{ code: 10, data: Buffer.alloc(24, 0x61) }] }),
          );
      },
    ]);
    expect(marksOf(await ask(upstreams, 'www.example.com'))).toEqual([TRUTH]);
    expect(servers[0].queries.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  test.each([
    { name: 'SERVFAIL', rcode: 2 },
    { name: 'REFUSED', rcode: 5 },
    { name: 'NOTIMP', rcode: 4 },
    { name: 'FORMERR', rcode: 1 },
  ])('says $name like all others is quoted', async ({ rcode }) => {
    const { upstreams, servers } = await world([says(rcode), says(rcode)]);
    const told = await ask(upstreams, 'www.example.com');
    expect(told.failure).toBeNull();
    expect(told.rcode).toBe(rcode);
    expect(servers.every((server) => server.queries.length > 0)).toBe(true);
    expect(told.ms).toBeLessThan(300);
  });

  test('says FORMERR to EDNS is asked without, for this question only', async () => {
    const { upstreams, servers } = await world([
      (query) => query.send(query.message.readUInt16BE(10) > 0 ? reply(query, { rcode: 1 }) : truth(query)),
    ]);
    expect(marksOf(await ask(upstreams, 'a.example.com'))).toEqual([TRUTH]);
    expect(marksOf(await ask(upstreams, 'b.example.com'))).toEqual([TRUTH]);
    const additional = servers[0].queries.map((query) => query.message.readUInt16BE(10));
    expect(additional).toEqual([1, 0, 1, 0]);
  });

  test.each<{ name: string; script: Script; failure: UpstreamFailure; most: number }>([
    { name: 'is silent', script: () => undefined, failure: 'timeout', most: 8 },
    {
      name: 'sends nothing but noise',
      script: (query) => query.send(Buffer.concat([query.message.subarray(0, 2), Buffer.alloc(60, 0xaa)])),
      failure: 'unusable',
      most: 8,
    },
    {
      name: 'is truncated for ever',
      script: (query) => query.send(reply(query, { truncated: true })),
      failure: 'unusable',
      most: 2,
    },
    {
      name: 'drips over TCP',
      script: (query) => {
        if (query.transport === 'udp') query.send(reply(query, { truncated: true }));
        else {
          const message = truth(query);
          let at = 0;
          const drip = setInterval(() => {
            query.raw(at === 0 ? Buffer.from([0]) : message.subarray(at, at + 1));
            if (at++ > 4 || query.connection?.destroyed) clearInterval(drip);
          }, 150);
        }
      },
      failure: 'timeout',
      most: 8,
    },
  ])(
    '$name ends in $failure at the deadline, after at most $most messages',
    async ({ script, failure, most }) => {
      const { upstreams, servers } = await world([script]);
      const told = await ask(upstreams, 'www.example.com', { budgetMs: 1500 });
      expect(told.failure).toBe(failure);
      expect(told.ms).toBeLessThan(1600);
      const asked = servers[0].queries.filter((query) => query.name !== '');
      expect(asked.length).toBeLessThanOrEqual(most);
    },
  );
});

describe('what goes to a server', () => {
  test('is built from nothing: name, type, IN, RD, an OPT of ours, no client option', async () => {
    const { upstreams, servers } = await world([(query) => query.send(truth(query))], {
      pool: { mixCase: false, cookies: false },
    });
    await ask(upstreams, 'WwW.example.COM', { type: 28 });
    const { message } = servers[0].queries[0];
    expect(message.subarray(2).toString('hex')).toBe(
      '0100' +
        '0001000000000001' +
        '03777777076578616d706c6503636f6d00' +
        '001c0001' +
        '00' +
        '0029' +
        '04d0' +
        '00000000' +
        '0000',
    );
  });

  test.each([
    { dnssecOk: true, checkingDisabled: false },
    { dnssecOk: false, checkingDisabled: true },
    { dnssecOk: true, checkingDisabled: true },
  ])('carries DO $dnssecOk and CD $checkingDisabled', async (bits) => {
    const { upstreams, servers } = await world([(query) => query.send(truth(query))], {
      pool: { cookies: false },
    });
    await ask(upstreams, 'www.example.com', bits);
    const { message } = servers[0].queries[0];
    expect((message[3] & 0x10) !== 0).toBe(bits.checkingDisabled);
    expect((message[message.length - 4] & 0x80) !== 0).toBe(bits.dnssecOk);
  });
});
