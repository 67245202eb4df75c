/**
 * What the words of a policy mean, seen from outside: a running Sallyport with two upstreams that answer everything, clients
 * told apart by their loopback address, and a table of questions with what each client must get. Only the documents were
 * looked at to write it.
 */
import { createSocket, type Socket } from 'node:dgram';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { askUdp } from '../../src/cli/ask.ts';
import { type ReadMessage, readMessage } from '../../src/cli/read-message.ts';
import { nameOctets, nameText, typeOf, u16 } from '../../src/wire/index.ts';
import { Serving } from './processes.ts';

const ENDS_AT = new Date(Date.now() + 6_000);

const POLICY = `
version: 1
sets:
  patterns:
    reason: Patterns.
    allow:
      - exact.example.com
      - '*.below.example.com'
      - +.both.example.com
      - UPPER.Example.NET
      - trailing.example.com.
      - bücher.example
      - '*.straße.example'
      - xn--fiqs8s.example
      - _under.example.com
      - deep.a.b.c.example.com
      - {name: 'dot\\.inside.example.com', characters: any}
      - {name: 'oct\\255et.example.com', characters: any}
      - {name: '*.any.example.com', characters: any}
  types:
    reason: Types.
    allow:
      - {name: txt.example.com, types: [TXT]}
      - {name: +.srv.example.com, types: [SRV, TYPE65280]}
      - {name: mixed.example.com, types: [A]}
      - {name: mixed.example.com, types: [TXT], reason: Another rule for another type.}
      - {name: typed-deny.example.com, types: [A, TXT]}
    deny:
      - {name: typed-deny.example.com, types: [TXT], reason: Not this type.}
  contest:
    reason: Who wins.
    allow:
      - +.zone.example.org
      - very.specific.denied.example.org
      - {name: '*.strict.zone.example.org', types: [A], reason: Narrower.}
      - {name: ended.zone.example.org, expires: 2020-01-01, reason: Long over; the wider rule goes on.}
      - {name: soon.example.org, expires: '${ENDS_AT.toISOString()}'}
      - {name: over.example.org, expires: 2020-01-01}
      - {name: kept.example.org, expires: 2099-12-31}
    deny:
      - +.denied.example.org
      - {name: '*.bad.zone.example.org', reason: Below only.}
      - {name: once.zone.example.org, reason: This name only.}
      - {name: allowed-again.zone.example.org, expires: 2020-01-01, reason: The denial is over.}
  answers:
    reason: What the denied get.
    allow: [+.ok.example]
    deny:
      - {name: nx.example, answer: nxdomain}
      - {name: nodata.example, answer: nodata}
      - {name: refused.example, answer: refused}
      - {name: silent.example, answer: drop}
      - {name: address.example, answer: {a: 192.0.2.99, aaaa: '2001:db8::99'}}
      - {name: four.example, answer: {a: 192.0.2.98}}
  aliases:
    reason: Aliases.
    allow:
      - {name: trust.alias.example, cname: trust}
      - {name: inspect.alias.example, cname: inspect}
      - {name: inspect-ok.alias.example, cname: inspect}
      - {name: site.alias.example, cname: same-site}
      - {name: site-out.alias.example, cname: same-site}
      - {name: to-denied.alias.example, cname: trust}
      - {name: to-listed.alias.example, cname: trust}
      - {name: long.alias.example, cname: trust}
      - {name: loop.alias.example, cname: trust}
      - {name: default.alias.example}
      - target.allowed.example
    deny: [+.hostile.example]
    lists: [{file: feed.txt, action: deny, match: both}]
  lists:
    reason: Lists.
    allow: [+.feed.example, +.rpz.example]
    lists:
      - {file: names.txt, action: allow}
      - {file: both.txt, action: allow, match: both}
      - {file: hosts.txt, action: deny, format: hosts}
      - {file: policy.rpz, action: deny, format: rpz}
  first: {reason: The first set., allow: [same.example.org]}
  second: {reason: The second set., allow: [same.example.org, {name: routed.corp.example}, deep.inner.corp.example, www.corp.example.com]}
groups:
  patterns: {clients: [127.0.1.1], sets: [patterns]}
  types: {clients: [127.0.1.2], sets: [types]}
  contest: {clients: [127.0.1.3], sets: [contest], contact: net@example.com}
  answers: {clients: [127.0.1.4], sets: [answers]}
  aliases: {clients: [127.0.1.5], sets: [aliases]}
  lists: {clients: [127.0.1.6], sets: [lists]}
  order: {clients: [127.0.1.7], sets: [first, second]}
  other-order: {clients: [127.0.1.8], sets: [second, first]}
  watched: {clients: [127.0.1.9], mode: observe, sets: [contest]}
  refused: {clients: [127.0.2.0/24], answer: refused, sets: [contest]}
  narrow: {clients: [127.0.2.7], answer: nodata, sets: [patterns]}
  addressed: {clients: [127.0.3.1], answer: {a: 192.0.2.97}, sets: [contest]}
  silent: {clients: [127.0.3.2], answer: drop, sets: [contest]}
local:
  - zone: home.example
    records: ['@ A 192.0.2.80', 'www CNAME @', '*.apps A 192.0.2.81', 'mail MX 10 mx', 'out CNAME exact.example.com.', 'empty.non A 192.0.2.82']
  - {zone: private.example, groups: [patterns], records: ['@ A 192.0.2.83']}
via:
  - {suffix: corp.example, pool: vpc}
  - {suffix: inner.corp.example, pool: default}
`;

const FILES: Readonly<Record<string, string>> = {
  'feed.txt': 'listed.example\n',
  'names.txt':
    '# names\nplain.list.example\n*.star.list.example # below\n+.plus.list.example\nUPPER.list.example.\n',
  'both.txt': 'wide.example.net\n',
  'hosts.txt':
    '127.0.0.1 localhost\n0.0.0.0 ads.feed.example track.feed.example # two\n:: six.feed.example\n',
  'policy.rpz': [
    '$ORIGIN rpz.test.',
    '$TTL 300',
    '@ SOA ns hostmaster 1 3600 600 86400 60',
    '  NS ns',
    'nx.rpz.example CNAME .',
    '*.nx.rpz.example CNAME .',
    'nodata.rpz.example CNAME *.',
    'drop.rpz.example CNAME rpz-drop.',
    '*.wild.rpz.example CNAME .',
    'pass.wild.rpz.example CNAME rpz-passthru.',
    'data.rpz.example A 192.0.2.66',
    '32.1.2.0.192.rpz-ip CNAME .',
    '',
  ].join('\n'),
};

/** Aliases that the default upstream knows: it answers with the whole chain. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  'trust.alias.example': ['somewhere.else.example'],
  'default.alias.example': ['somewhere.else.example'],
  'inspect.alias.example': ['somewhere.else.example'],
  'inspect-ok.alias.example': ['target.allowed.example'],
  'site.alias.example': ['cdn.alias.example'],
  'site-out.alias.example': ['cdn.other-site.example'],
  'to-denied.alias.example': ['half.way.example', 'x.hostile.example'],
  'to-listed.alias.example': ['x.listed.example'],
  'long.alias.example': Array.from({ length: 40 }, (_, i) => `step-${i}.chain.example`),
  'loop.alias.example': ['one.loop.example', 'loop.alias.example'],
};

/** An upstream that has an answer to everything: `address` for A, 2001:db8::1 for AAAA, fixed rdata for other types. */
class Answering {
  readonly asked: string[] = [];
  readonly #socket: Socket = createSocket('udp4');
  port = 0;

  async open(address: string): Promise<this> {
    this.#socket.on('message', (query, { port, address: from }) => {
      let end = 12;
      while (query[end] !== 0) end += query[end] + 1;
      const name = nameText(nameOctetsOf(query, end));
      const type = u16(query, end + 1);
      this.asked.push(`${name} ${type}`);
      const owners = [nameOctetsOf(query, end), ...(ALIASES[name] ?? []).map((text) => nameOctets(text))];
      const records = owners.map((owner, at) =>
        at + 1 < owners.length
          ? record(owner, 5, owners[at + 1])
          : record(owner, type, rdataOf(type, address)),
      );
      const head = Buffer.from(query.subarray(0, end + 5));
      head.writeUInt16BE(0x8180, 2);
      head.writeUInt16BE(records.length, 6);
      head.writeUInt32BE(0, 8);
      this.#socket.send(Buffer.concat([head, ...records]), port, from);
    });
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve));
    this.port = this.#socket.address().port;
    return this;
  }

  close(): void {
    this.#socket.close();
  }
}

/** The name of the question in lower case. */
const nameOctetsOf = (query: Uint8Array, end: number): Uint8Array =>
  query.slice(12, end + 1).map((octet) => (octet >= 65 && octet <= 90 ? octet + 32 : octet));

function record(owner: Uint8Array, type: number, rdata: Uint8Array): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(300, 4);
  fixed.writeUInt16BE(rdata.length, 8);
  return Buffer.concat([owner, fixed, rdata]);
}

function rdataOf(type: number, address: string): Uint8Array {
  if (type === 1) return Buffer.from(address.split('.').map(Number));
  if (type === 28) return Buffer.from('20010db8000000000000000000000001', 'hex');
  if (type === 33) return Buffer.concat([Buffer.from([0, 1, 0, 1, 0, 80]), nameOctets('exact.example.com')]);
  if (type === 64 || type === 65) return Buffer.from([0, 1, 0]);
  if (type === 5) return nameOctets('target.example.com');
  return Buffer.from([1, 116]);
}

/** A query with EDNS; labels as they are written, escapes and all. */
function queryFor(name: string, type: number): Buffer {
  const head = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  const labels = Buffer.from(rawName(name));
  const tail = Buffer.from([type >> 8, type & 255, 0, 1, 0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, labels, tail]);
}

/** Octets of a name in the case in which it is written. */
function rawName(text: string): number[] {
  const octets: number[] = [];
  let label: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const isDecimal = /^\\\d{3}/.test(text.slice(i, i + 4));
    if (text[i] === '.') {
      if (label.length === 0) continue;
      octets.push(label.length, ...label);
      label = [];
    } else if (text[i] === '\\') {
      label.push(isDecimal ? Number(text.slice(i + 1, i + 4)) : text.charCodeAt(i + 1));
      i += isDecimal ? 3 : 1;
    } else label.push(text.charCodeAt(i));
  }
  if (label.length > 0) octets.push(label.length, ...label);
  return [...octets, 0];
}

const CLIENTS: Readonly<Record<string, string>> = {
  patterns: '127.0.1.1',
  types: '127.0.1.2',
  contest: '127.0.1.3',
  answers: '127.0.1.4',
  aliases: '127.0.1.5',
  lists: '127.0.1.6',
  order: '127.0.1.7',
  'other-order': '127.0.1.8',
  watched: '127.0.1.9',
  refused: '127.0.2.1',
  narrow: '127.0.2.7',
  addressed: '127.0.3.1',
  silent: '127.0.3.2',
  stranger: '127.0.9.9',
};

/**
 * Client, name, type and what it gets:
 *
 *   up, vpc         the answer of that upstream                  local ADDRESS   of a local zone, with authority
 *   local+up        an alias of a local zone, with authority, and behind it the answer of the upstream
 *   nx, nodata      denied so, with SOA and EDE 15               refused, silence, address ADDRESS
 *
 * and, behind a comma, the cause or the rule that the audit has.
 */
const TABLE = `
patterns exact.example.com A                  up, patterns/allow/0
patterns EXACT.eXaMpLe.CoM A                  up
patterns x.exact.example.com A                nx, not-listed
patterns exact.example.com.evil.example A     nx, not-listed
patterns xexact.example.com A                 nx, not-listed
patterns exact-example.com A                  nx, not-listed
patterns example.com A                        nodata, ancestor
patterns com A                                nodata, ancestor
patterns . A                                  nodata, ancestor
patterns other.com A                          nx, not-listed
patterns below.example.com A                  nodata, ancestor
patterns a.below.example.com A                up, patterns/allow/1
patterns a.b.c.d.below.example.com A          up, patterns/allow/1
patterns *.below.example.com A                nx, characters
patterns abelow.example.com A                 nx, not-listed
patterns both.example.com A                   up, patterns/allow/2
patterns a.both.example.com A                 up, patterns/allow/2
patterns a.b.both.example.com A               up, patterns/allow/2
patterns aboth.example.com A                  nx, not-listed
patterns upper.example.net A                  up
patterns UPPER.EXAMPLE.NET A                  up
patterns x.upper.example.net A                nx, not-listed
patterns trailing.example.com A               up
patterns xn--bcher-kva.example A              up, patterns/allow/5
patterns XN--BCHER-KVA.example A              up
patterns b\\195\\188cher.example A            nx, not-listed
patterns bcher.example A                      nx, not-listed
patterns x.xn--strae-oqa.example A            up, patterns/allow/6
patterns xn--strae-oqa.example A              nodata, ancestor
patterns x.strasse.example A                  nx, not-listed
patterns xn--fiqs8s.example A                 up
patterns _under.example.com A                 up
patterns under.example.com A                  nx, not-listed
patterns deep.a.b.c.example.com A             up
patterns a.b.c.example.com A                  nodata, ancestor
patterns b.c.example.com A                    nodata, ancestor
patterns c.example.com A                      nodata, ancestor
patterns d.c.example.com A                    nx, not-listed
patterns dot\\.inside.example.com A           up, patterns/allow/10
patterns dot.inside.example.com A             nx, not-listed
patterns inside.example.com A                 nx, not-listed
patterns oct\\255et.example.com A             up, patterns/allow/11
patterns octet.example.com A                  nx, not-listed
patterns a\\000b.any.example.com A            up, patterns/allow/12
patterns a\\032b.both.example.com A           nx, characters
patterns a\\000b.both.example.com A           nx, characters
patterns a+b.both.example.com A               nx, characters
patterns exact.example.com AAAA               up
patterns exact.example.com CNAME              up
patterns exact.example.com HTTPS              up
patterns exact.example.com SVCB               up
patterns exact.example.com TXT                nodata, type
patterns exact.example.com NULL               nodata, type
patterns exact.example.com MX                 nodata, type
patterns exact.example.com SRV                nodata, type
patterns exact.example.com PTR                nodata, type
patterns exact.example.com NS                 nodata, type
patterns exact.example.com SOA                nodata, type
patterns exact.example.com CAA                nodata, type
patterns exact.example.com DNSKEY             nodata, type
patterns exact.example.com DS                 nodata, type
patterns exact.example.com TYPE65280          nodata, type
patterns exact.example.com TYPE65534          nodata, type
patterns a.below.example.com TXT              nodata, type
patterns home.example A                       local 192.0.2.80
patterns private.example A                    local 192.0.2.83
types txt.example.com TXT                     up, types/allow/0
types txt.example.com A                       nodata, type
types srv.example.com SRV                     up
types _sip._tcp.srv.example.com SRV           up, types/allow/1
types _sip._tcp.srv.example.com TYPE65280     up
types _sip._tcp.srv.example.com A             nodata, type
types _sip._tcp.srv.example.com TXT           nodata, type
types mixed.example.com A                     up, types/allow/2
types mixed.example.com TXT                   up, types/allow/3
types mixed.example.com AAAA                  nodata, type
types typed-deny.example.com A                up
types typed-deny.example.com TXT              nodata, denied
types private.example A                       nx, not-listed
contest zone.example.org A                    up, contest/allow/0
contest www.zone.example.org A                up, contest/allow/0
contest very.specific.denied.example.org A    nx, denied
contest denied.example.org A                  nodata, denied
contest a.b.denied.example.org TXT            nx, denied
contest a.strict.zone.example.org A           up, contest/allow/2
contest a.strict.zone.example.org AAAA        up, contest/allow/0
contest strict.zone.example.org A             up, contest/allow/0
contest ended.zone.example.org A              up, contest/allow/0
contest bad.zone.example.org A                up, contest/allow/0
contest a.bad.zone.example.org A              nx, denied
contest a.b.bad.zone.example.org A            nx, denied
contest once.zone.example.org A               nx, denied
contest below.once.zone.example.org A         up, contest/allow/0
contest allowed-again.zone.example.org A      up, contest/allow/0
contest over.example.org A                    nx, expired
contest kept.example.org A                    up, contest/allow/6
contest example.org A                         nodata, ancestor
contest nobody.example.org A                  nx, not-listed
contest home.example A                        local 192.0.2.80
contest www.home.example A                    local 192.0.2.80
contest a.apps.home.example A                 local 192.0.2.81
contest a.b.apps.home.example A               local 192.0.2.81
contest nothing.home.example A                local NXDOMAIN
contest non.home.example A                    local NODATA
contest home.example TXT                      local NODATA
contest home.example AAAA                     local NODATA
contest out.home.example A                    local+up
answers nx.example A                          nx, denied
answers nodata.example A                      nodata, denied
answers refused.example A                     refused, denied
answers silent.example A                      silence, denied
answers address.example A                     address 192.0.2.99
answers address.example AAAA                  address 2001:db8::99
answers address.example TXT                   nodata, denied
answers four.example A                        address 192.0.2.98
answers four.example AAAA                     nodata, denied
answers www.ok.example A                      up
answers not-listed.example A                  nx, not-listed
aliases trust.alias.example A                 up, aliases/allow/0
aliases default.alias.example A               up
aliases somewhere.else.example A              nx, not-listed
aliases inspect.alias.example A               nx
aliases inspect-ok.alias.example A            up
aliases site.alias.example A                  up
aliases site-out.alias.example A              nx
aliases to-denied.alias.example A             nx
aliases to-listed.alias.example A             nx
aliases long.alias.example A                  servfail
aliases loop.alias.example A                  servfail
lists plain.list.example A                    up, lists/lists/0
lists x.plain.list.example A                  nx, not-listed
lists x.star.list.example A                   up, lists/lists/0
lists star.list.example A                     nodata, ancestor
lists plus.list.example A                     up
lists x.plus.list.example A                   up
lists upper.list.example A                    up
lists wide.example.net A                      up, lists/lists/1
lists x.y.wide.example.net A                  up, lists/lists/1
lists plain.list.example TXT                  nodata, type
lists ok.feed.example A                       up, lists/allow/0
lists ads.feed.example A                      nx, denied
lists x.ads.feed.example A                    up
lists track.feed.example TXT                  nx, denied
lists six.feed.example A                      nx, denied
lists ok.rpz.example A                        up, lists/allow/1
lists nx.rpz.example A                        nx, denied
lists x.nx.rpz.example A                      nx, denied
lists nodata.rpz.example A                    nodata, denied
lists drop.rpz.example A                      silence, denied
lists wild.rpz.example A                      up
lists x.wild.rpz.example A                    nx, denied
lists pass.wild.rpz.example A                 up, lists/allow/1
lists data.rpz.example A                      nx, denied
order same.example.org A                      up, first/allow/0
other-order same.example.org A                up, second/allow/0
order routed.corp.example A                   vpc, second/allow/1
order www.corp.example A                      nx, not-listed
order corp.example A                          nodata, ancestor
order deep.inner.corp.example A               up, second/allow/2
order www.corp.example.com A                  up, second/allow/3
watched nobody.example.org A                  up, not-listed
watched a.denied.example.org A                up, denied
watched zone.example.org TXT                  up, type
watched over.example.org A                    up, expired
watched www.zone.example.org A                up, contest/allow/0
watched home.example A                        local 192.0.2.80
refused nobody.example.org A                  refused, not-listed
refused a.denied.example.org A                refused, denied
refused zone.example.org TXT                  refused, type
refused example.org A                         nodata, ancestor
narrow nobody.example.org A                   nodata, not-listed
narrow exact.example.com A                    up
addressed nobody.example.org A                address 192.0.2.97
addressed nobody.example.org AAAA             nodata, not-listed
silent nobody.example.org A                   silence, not-listed
silent www.zone.example.org A                 up
stranger exact.example.com A                  stranger
stranger home.example A                       stranger
`;

interface Case {
  readonly client: string;
  readonly name: string;
  readonly type: string;
  readonly outcome: string;
  /** A cause or the id of a rule; '' when the row says nothing of it. */
  readonly why: string;
}

const CASES: readonly Case[] = TABLE.trim()
  .split('\n')
  .map((line) => {
    const [, client, name, type, outcome, why = ''] =
      /^(\S+) (\S+) (\S+) +([^,]+)(?:, (\S+))?$/.exec(line) ?? [];
    if (outcome === undefined) throw new Error(`no case: ${line}`);
    return { client, name, type, outcome, why };
  });

/** The response in the words of the table. */
function told(message: ReadMessage): string {
  const { rcode, flags, answer, authority, edns } = message;
  const blocked = edns?.extendedErrors.some((text) => text.startsWith('15')) ?? false;
  const soa = authority.some(({ type }) => type === 'SOA');
  const last = answer.at(-1);
  if (flags.includes('aa')) {
    if (last === undefined) return `local ${rcode === 'NXDOMAIN' ? 'NXDOMAIN' : 'NODATA'}`;
    return last.rdata === '192.0.2.1' ? 'local+up' : `local ${last.rdata}`;
  }
  if (rcode === 'SERVFAIL') return 'servfail';
  if (rcode === 'REFUSED') return blocked ? 'refused' : 'stranger';
  if (last !== undefined) {
    if (blocked) return `address ${last.rdata}`;
    return last.rdata === '192.0.2.200' ? 'vpc' : 'up';
  }
  if (!blocked || !soa) return `${rcode} without ${blocked ? 'SOA' : 'EDE 15'}`;
  return rcode === 'NXDOMAIN' ? 'nx' : 'nodata';
}

describe('the words of a policy', () => {
  let upstream: Answering;
  let vpc: Answering;
  let serving: Serving;

  beforeAll(async () => {
    // In memory where that can be: what a busy disk does to answers is for other tests to ask.
    const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sallyport-words-'));
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, name), text);
    upstream = await new Answering().open('192.0.2.1');
    vpc = await new Answering().open('192.0.2.200');
    serving = await Serving.start({
      policy: POLICY,
      directory,
      upstream: `127.0.0.1:${upstream.port}`,
      settings: `upstreams: {default: {servers: ['127.0.0.1:${upstream.port}']}, vpc: {servers: ['127.0.0.1:${vpc.port}']}}\n`,
      set: { 'detect.enabled': 'false' },
    });
  });

  afterAll(async () => {
    await serving?.stop();
    upstream?.close();
    vpc?.close();
  });

  const ask = async (client: string, name: string, type: string, outcome = ''): Promise<string> => {
    const query = queryFor(name, typeOf(type) ?? 0);
    const from = CLIENTS[client];
    let reply: Buffer;
    try {
      reply = await askUdp(query, '127.0.0.1', serving.port, outcome === 'silence' ? 700 : 5000, from);
    } catch {
      return 'silence';
    }
    const read = readMessage(reply);
    return typeof read === 'string' ? read : told(read);
  };

  test('a rule ends at its moment, without a reload', async () => {
    expect(await ask('contest', 'soon.example.org', 'A')).toBe('up');
    await expect.poll(() => Date.now(), { timeout: 10_000 }).toBeGreaterThan(ENDS_AT.getTime());
    const before = upstream.asked.length;
    expect(await ask('contest', 'soon.example.org', 'A')).toBe('nx');
    expect(upstream.asked).toHaveLength(before);
    expect(serving.entries().at(-1)).toMatchObject({ verdict: 'deny', cause: 'expired' });
  });

  test.each(CASES)('$client $name $type: $outcome, $why', async ({ client, name, type, outcome, why }) => {
    const asked = upstream.asked.length + vpc.asked.length;
    const got = await ask(client, name, type, outcome);
    const entry = serving.entries().findLast((one) => one['client'] === CLIENTS[client]);
    expect({ got, entry: entry?.['qtype'] }).toEqual({ got: outcome, entry: type });
    // What is denied by its own name has reached nobody.
    const isDenied = !/^(up|vpc|local\+up|servfail)$/.test(outcome) && client !== 'aliases';
    if (isDenied) expect(upstream.asked.length + vpc.asked.length).toBe(asked);
    if (why.includes('/')) expect(entry).toMatchObject({ rule: why, verdict: 'allow' });
    else if (why !== '') expect(entry).toMatchObject({ cause: why });
  });
});
