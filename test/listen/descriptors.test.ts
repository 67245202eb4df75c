import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { connectionsWithin } from '../../src/listen/index.ts';
import { Client } from './client.ts';
import { idsOf, query, until } from './echo.ts';

const BUILT = fileURLToPath(new URL('../../dist/listen/index.js', import.meta.url));

/** A process of its own with few descriptors: echoes, and tells how many connections it allows itself. */
const SERVER = `
  import(process.argv[1]).then(async ({ ConnectionLimits, connectionsWithin, openTcpListener }) => {
    const clientsMax = connectionsWithin(1000, 100);
    const listener = await openTcpListener({
      address: '127.0.0.1', port: 0, reusePort: false,
      limits: new ConnectionLimits({ clientsMax, clientsPerAddress: 1000 }),
      onMessage: (message) => message.respond(), onBatchEnd: () => {}, onError: (error) => { throw error; },
    });
    console.log(JSON.stringify({ clientsMax, port: listener.port }));
  });
`;

const canRun = existsSync('/proc/self/limits');
if (!canRun) console.log('there is no /proc here: the test with 256 descriptors is skipped');

describe('connectionsWithin', () => {
  test.each([
    { wanted: 10, reserved: 0, is: 10 },
    { wanted: 10, reserved: Number.MAX_SAFE_INTEGER, is: 1 },
  ])('gives $is of $wanted beside $reserved', ({ wanted, reserved, is }) => {
    expect(connectionsWithin(wanted, reserved)).toBe(is);
  });

  test.skipIf(!canRun)('256 descriptors, 400 clients: the newest are served', async () => {
    const command = 'ulimit -n 256; exec "$0" -e "$1" "$2"';
    const child = spawn('sh', ['-c', command, process.execPath, SERVER, BUILT], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const clients: Client[] = [];
    try {
      const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
      const { clientsMax, port } = JSON.parse(line) as { clientsMax: number; port: number };
      expect(clientsMax).toBe(156);
      for (let i = 0; i < 400; i++) clients.push(await Client.tcp(port, `127.0.3.${1 + (i % 40)}`));
      const startMs = performance.now();
      const fresh = await Client.tcp(port);
      clients.push(fresh);
      fresh.send(query(7));
      expect(idsOf(await fresh.gets(1))).toEqual([7]);
      expect(performance.now() - startMs).toBeLessThan(1000);
      await until(
        'the oldest to be closed',
        () => clients.filter((a) => a.ended || a.closed).length >= 401 - 156,
      );
    } finally {
      for (const a of clients) a.socket.destroy();
      child.kill();
    }
  });
});
