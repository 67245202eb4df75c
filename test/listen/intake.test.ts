import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { devCertificate } from '../../src/listen/index.ts';
import { takeIn } from '../../src/listen/intake.ts';
import { until } from './echo.ts';

const certificate = devCertificate();
const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A connection and the server's end of it. */
async function pair(over: 'TCP' | 'TLS'): Promise<{ client: Socket; accepted: Socket }> {
  const server: Server =
    over === 'TCP' ? createServer({ allowHalfOpen: true }) : createTlsServer(certificate);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const arrival = once(server, over === 'TCP' ? 'connection' : 'secureConnection');
  const client =
    over === 'TCP'
      ? connect(port, '127.0.0.1')
      : connectTls({ port, host: '127.0.0.1', ca: certificate.cert, servername: 'localhost' });
  const [accepted] = (await arrival) as [Socket];
  closing.push(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  return { client, accepted };
}

describe.each(['TCP', 'TLS'] as const)('takeIn over %s', (over) => {
  test('reads into the common room on this Node, and hands over every octet in order', async () => {
    const { client, accepted } = await pair(over);
    const parts: Buffer[] = [];
    let ended = false;
    expect(takeIn(accepted, (octets, length) => parts.push(Buffer.from(octets.subarray(0, length))))).toBe(
      true,
    );
    accepted.on('end', () => {
      ended = true;
    });
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    client.end(sent);
    await until('the end', () => ended);
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
  });

  test('two connections share the room and nothing else', async () => {
    const [one, other] = [await pair(over), await pair(over)];
    const seen = ['', ''];
    for (const [i, { accepted }] of [one, other].entries()) {
      takeIn(accepted, (octets, length) => {
        seen[i] += octets.toString('latin1', 0, length);
      });
    }
    for (let i = 0; i < 50; i++) {
      one.client.write('one');
      other.client.write('other');
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until('all of it', () => seen[0].length === 150 && seen[1].length === 250);
    expect(seen).toEqual(['one'.repeat(50), 'other'.repeat(50)]);
  });

  test('a paused socket is not read, and goes on where it stopped', async () => {
    const { client, accepted } = await pair(over);
    let received = 0;
    takeIn(accepted, (_octets, length) => {
      received += length;
      accepted.pause();
      setTimeout(() => accepted.resume(), 1);
    });
    client.write(Buffer.alloc(1_000_000));
    await until('all of it', () => received === 1_000_000);
  });
});
