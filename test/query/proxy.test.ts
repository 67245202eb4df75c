/** Datagrams of load balancers: whose query it is says the PROXY header, and nobody else's. */
import { describe, expect, test } from 'vitest';
import { At } from '../../src/metrics/index.ts';
import { House, queryOctets } from './house.ts';

const POLICY = `
sets:
  work: {reason: Needed for work., allow: [+.example.com]}
groups:
  staff: {clients: [198.51.100.0/24], sets: [work]}
  guests: {clients: [203.0.113.0/24], sets: []}
`;
const PROXY = '192.0.2.250';
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/** A header for a client, or LOCAL without one. */
function header(client: string | null): Buffer {
  if (client === null) return Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
  const address = Uint8Array.from(client.split('.').map(Number));
  const ends = Buffer.from([192, 0, 2, 53, 0x14, 0xe9, 0, 53]);
  return Buffer.concat([SIGNATURE, Buffer.from([0x21, 0x12, 0, 12]), address, ends]);
}

const house = (): House => new House(POLICY, { proxies: [`${PROXY}/32`] });
const behind = (client: string | null, query = queryOctets('www.example.com')): Buffer =>
  Buffer.concat([header(client), query]);

describe('a datagram of a load balancer', () => {
  test.each([
    ['198.51.100.7', 'staff', 'asked'],
    ['203.0.113.7', 'guests', 'NXDOMAIN'],
    ['10.0.0.1', null, 'REFUSED'],
  ])('is the query of %s: group %s, %s', (client, group, outcome) => {
    const at = house();
    const [sent] = at.receive({ octets: behind(client), from: PROXY });
    if (outcome === 'asked') {
      expect(at.asked).toHaveLength(1);
      at.asked[0].answer({ answer: ['www.example.com 300 A 192.0.2.1'] });
    } else {
      expect(at.asked).toEqual([]);
      expect(sent.readUInt16BE(0)).toBe(0x1234);
    }
    at.path.endTurn();
    expect(at.lastEntry).toMatchObject({ client, ...(group === null ? {} : { group }) });
  });

  test('gives each of two clients in one batch its own answer', async () => {
    const at = house();
    at.receive(
      { octets: behind('198.51.100.1'), from: PROXY },
      { octets: behind('198.51.100.2'), from: PROXY },
    );
    at.asked[0].answer({ answer: ['www.example.com 300 A 192.0.2.1'] });
    expect(await at.heard()).toHaveLength(2);
    const clients = at.audit.entries.map((entry) => entry.client).sort();
    expect(clients).toEqual(['198.51.100.1', '198.51.100.2']);
  });

  test('that speaks for itself is judged as itself', () => {
    const at = house();
    at.receive({ octets: behind(null), from: PROXY });
    expect(at.lastEntry).toMatchObject({ client: PROXY, rcode: 'REFUSED' });
  });

  test.each([
    ['without a header', queryOctets('www.example.com')],
    ['with half a header', header('198.51.100.7').subarray(0, 20)],
    ['with nothing behind its header', header('198.51.100.7')],
    [
      'with a response behind its header',
      behind('198.51.100.7', Uint8Array.from([0, 0, 0x80, ...Array(20).fill(0)])),
    ],
  ])('%s gets no answer, and is no query', (_, octets) => {
    const at = house();
    expect(at.receive({ octets, from: PROXY })).toEqual([]);
    expect(at.audit.entries).toEqual([]);
    expect(at.socket.free).toHaveLength(256);
  });

  test('without a header is counted', () => {
    const at = house();
    at.receive({ octets: queryOctets('www.example.com'), from: PROXY });
    expect(at.counters.columns[At.proxyFaults]).toBe(1);
  });

  test('has a cookie for the client behind it: another one cannot use it', () => {
    const at = house();
    const COOKIE = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
    const ask = (client: string, options: readonly number[]): Buffer => {
      const query = queryOctets('other.example.net', { options: Uint8Array.from(options) });
      return at.receive({ octets: behind(client, query), from: PROXY })[0];
    };
    const cookieOf = (response: Buffer): string =>
      response
        .subarray(response.indexOf(Buffer.from('0102030405060708', 'hex')))
        .toString('hex')
        .slice(0, 48);
    const one = cookieOf(ask('203.0.113.1', COOKIE));
    expect(cookieOf(ask('203.0.113.1', COOKIE))).toBe(one);
    expect(cookieOf(ask('203.0.113.2', COOKIE))).not.toBe(one);
  });
});

test('the header of anybody else is not believed', () => {
  const at = house();
  const [sent] = at.receive({ octets: behind('198.51.100.7'), from: '203.0.113.9' });
  expect(at.asked).toEqual([]);
  expect(at.lastEntry).toMatchObject({ client: '203.0.113.9' });
  expect(sent[3] & 15).not.toBe(0);
});
