/** What a kernel says it can do and what it does are two things: here it is tried, once at start. */
import { IPV4_LENGTH } from './address.ts';
import * as c from './libc.ts';
import * as m from './mmsg.ts';
import { NAME_LENGTH_V4, type Opener } from './native-open.ts';
import { Trains } from './trains.ts';

/** Throws where a batched call is missing: sandboxes know fewer than the library has functions. Tried on an idle socket. */
export function tryOut(libc: c.Libc, opener: Opener): void {
  const fd = opener.create(IPV4_LENGTH);
  try {
    const headers = new m.Headers(libc, 1);
    if (libc.recvmmsg(fd, headers.address, 1) >= 0 || libc.errno() !== c.EAGAIN) {
      throw c.systemError(libc.errno(), 'recvmmsg', 'trying recvmmsg');
    }
    if (libc.sendmmsg(fd, headers.address, 0) < 0)
      throw c.systemError(libc.errno(), 'sendmmsg', 'trying sendmmsg');
  } finally {
    opener.close(fd);
  }
}

/** How often and how long to wait for datagrams of our own, milliseconds: mostly they are there at once. */
const LOOKS = 20;
const LOOK_MS = 1;
const PROBE_LENGTH = 5;

/**
 * Whether two replies sent as one arrive as two. A kernel that does not know UDP_SEGMENT may take the message all the same and
 * send one long datagram, so it is tried on ourselves.
 */
export function knowsTrains(libc: c.Libc, opener: Opener): boolean {
  const loopback = Uint8Array.of(127, 0, 0, 1);
  const fd = opener.create(IPV4_LENGTH);
  try {
    opener.bind(fd, loopback, { address: '127.0.0.1', port: 0 });
    const slab = new m.Slab(libc, 2);
    const queue = new m.Headers(libc, 2);
    for (let slot = 0; slot < 2; slot++) {
      slab.names.set(opener.nameOf(loopback, opener.localPort(fd)), slot * m.NAME_WORDS * 4);
      slab.bind(queue, slot, slot, true, false);
      queue.words[slot * m.HEADER_WORDS + m.NAME_LENGTH_WORD] = NAME_LENGTH_V4;
      slab.iovs[slot * m.IOV_WORDS + m.IOV_LENGTH_WORD] = PROBE_LENGTH;
    }
    const trains = new Trains(libc, slab, IPV4_LENGTH);
    if (trains.gather(queue, 0, 2, false) !== 1 || libc.sendmmsg(fd, trains.headers.address, 1) !== 1)
      return false;
    return receives(libc, fd, 2);
  } catch {
    return false;
  } finally {
    opener.close(fd);
  }
}

/** Whether `count` datagrams of the probe's length come in. */
function receives(libc: c.Libc, fd: number, count: number): boolean {
  const slab = new m.Slab(libc, 1);
  const headers = new m.Headers(libc, 1);
  slab.bind(headers, 0, 0, false, false);
  let received = 0;
  for (let look = 0; look < LOOKS && received < count; look++) {
    if (libc.recvmmsg(fd, headers.address, 1) !== 1) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
      continue;
    }
    if (headers.words[m.LENGTH_WORD] !== PROBE_LENGTH) return false;
    received++;
  }
  return received === count;
}
