/**
 * The authority behind the misses: answers every A question with one address and every other with nothing, at the least
 * cost. `node authority.js PORT`; prints the number of queries it answered when it is ended by SIGTERM.
 */
import { setImmediate } from 'node:timers/promises';
import { BATCH, Batch, openUdp, Readiness, receive, STRIDE, transmit } from './mmsg.ts';

const fd = openUdp('bind', '127.0.0.1', Number(process.argv[2]));
const readiness = new Readiness([fd]);
const batch = new Batch(true);

/** An A record for the name in the question: TTL one hour, 192.0.2.1. */
const ANSWER = Buffer.from('c00c00010001' + '00000e10' + '0004c0000201', 'hex');
const OPT = Buffer.from('00002904d0000000000000', 'hex');

let answered = 0;
let stopped = false;
process.on('SIGTERM', () => (stopped = true));

/** Turns the query at `at` into its response, in place. Returns its length, 0 for what is not a query. */
function respond(octets: Buffer, at: number, length: number): number {
  let end = at + 12;
  while (end < at + length && octets[end] !== 0) end += octets[end]! + 1;
  end += 5;
  if (length < 17 || end > at + length || (octets[at + 2]! & 0x80) !== 0) return 0;
  const asksAddress = octets[end - 4] === 0 && octets[end - 3] === 1;
  const hadOpt = octets[at + 11] === 1;
  octets[at + 2] = 0x84 | (octets[at + 2]! & 1);
  octets[at + 3] = 0x80;
  octets[at + 6] = 0;
  octets[at + 7] = asksAddress ? 1 : 0;
  octets[at + 9] = 0;
  let to = end;
  if (asksAddress) to += ANSWER.copy(octets, to);
  if (hadOpt) to += OPT.copy(octets, to);
  return to - at;
}

process.stdout.write('ready\n');
let breathedAt = performance.now();
while (!stopped) {
  readiness.wait(50);
  for (let rounds = 0; rounds < 16; rounds++) {
    const got = receive(fd, batch);
    if (got <= 0) break;
    for (let i = 0; i < got; i++) batch.setLength(i, respond(batch.octets, i * STRIDE, batch.received(i)));
    answered += Math.max(0, transmit(fd, batch, got));
    if (got < BATCH) break;
  }
  const now = performance.now();
  if (now - breathedAt > 50) {
    breathedAt = now;
    await setImmediate();
  }
}
process.stdout.write(`${answered}\n`);
