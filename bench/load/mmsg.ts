/**
 * Batched UDP for the bench's own processes: one blocking loop with no event loop in it, so that load generator and
 * authority cost as little as they can. Not the product's engine: a fault in that one must not hide itself here.
 *
 * Needs Linux on a 64-bit little-endian machine, for the layout of `struct mmsghdr`.
 */
import koffi from 'koffi';

const library = koffi.load(null);
const call = {
  socket: library.func('int socket(int, int, int)'),
  setsockopt: library.func('int setsockopt(int, int, int, void*, uint32_t)'),
  bind: library.func('int bind(int, void*, uint32_t)'),
  connect: library.func('int connect(int, void*, uint32_t)'),
  recvmmsg: library.func('int recvmmsg(int, uintptr_t, unsigned int, int, uintptr_t)'),
  sendmmsg: library.func('int sendmmsg(int, uintptr_t, unsigned int, int)'),
  poll: library.func('int poll(uintptr_t, unsigned long, int)'),
};

const AF_INET = 2;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const MSG_DONTWAIT = 0x40;
const POLLIN = 1;
const BUFFER_LENGTH = 4 << 20;

export const BATCH = 64;
/** Octets of one message. */
export const STRIDE = 1536;

/** BATCH messages with their headers; message `i` begins at octet `i × STRIDE`. */
export class Batch {
  readonly octets = Buffer.alloc(BATCH * STRIDE);
  readonly #iovecs = Buffer.alloc(BATCH * 16);
  readonly #names = Buffer.alloc(BATCH * 16);
  readonly #headers = Buffer.alloc(BATCH * 64);
  readonly #iovecWords = words(this.#iovecs);
  readonly #headerWords = words(this.#headers);
  readonly address = Number(koffi.address(this.#headers));

  /** `named`: the peer's address is kept with each message and used again when it is sent. */
  constructor(named: boolean) {
    const octetsAt = koffi.address(this.octets);
    const iovecsAt = koffi.address(this.#iovecs);
    const namesAt = koffi.address(this.#names);
    for (let i = 0; i < BATCH; i++) {
      this.#iovecs.writeBigUInt64LE(octetsAt + BigInt(i * STRIDE), i * 16);
      if (named) {
        this.#headers.writeBigUInt64LE(namesAt + BigInt(i * 16), i * 64);
        this.#headers.writeUInt32LE(16, i * 64 + 8);
      }
      this.#headers.writeBigUInt64LE(iovecsAt + BigInt(i * 16), i * 64 + 16);
      this.#headers.writeBigUInt64LE(1n, i * 64 + 24);
    }
    this.#named = named;
  }
  readonly #named: boolean;

  received(i: number): number {
    return this.#headerWords[i * 16 + 14]!;
  }

  setLength(i: number, length: number): void {
    this.#iovecWords[i * 4 + 2] = length;
  }

  makeRoom(): void {
    for (let i = 0; i < BATCH; i++) {
      this.#iovecWords[i * 4 + 2] = STRIDE;
      if (this.#named) this.#headerWords[i * 16 + 2] = 16;
    }
  }
}

const words = (buffer: Buffer): Uint32Array =>
  new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length / 4);

/** A bound or a connected IPv4 socket; throws when the kernel refuses. */
export function openUdp(kind: 'bind' | 'connect', address: string, port: number): number {
  const fd = call.socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error('socket() failed');
  const length = Buffer.alloc(4);
  length.writeInt32LE(BUFFER_LENGTH);
  for (const option of [SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE]) {
    // The forced form needs a capability; without it the kernel's own bound holds.
    call.setsockopt(fd, SOL_SOCKET, option, length, 4);
  }
  const name = Buffer.alloc(16);
  name.writeUInt16LE(AF_INET, 0);
  name.writeUInt16BE(port, 2);
  for (const [i, part] of address.split('.').entries()) name[4 + i] = Number(part);
  if (call[kind](fd, name, 16) !== 0)
    throw new Error(`${kind}(${address}:${port}) failed; is the port taken?`);
  return fd;
}

/** Messages received, 0 when there are none; −1 when the peer of a connected socket refused. */
export function receive(fd: number, batch: Batch): number {
  batch.makeRoom();
  return call.recvmmsg(fd, batch.address, BATCH, MSG_DONTWAIT, 0);
}

/** Messages the kernel took of the first `count`, or −1. */
export const transmit = (fd: number, batch: Batch, count: number): number =>
  call.sendmmsg(fd, batch.address, count, MSG_DONTWAIT);

/** Waits until one of the sockets is readable, `timeoutMs` at most. */
export class Readiness {
  readonly #polled: Buffer;
  readonly #address: number;
  readonly #count: number;

  constructor(fds: readonly number[]) {
    this.#count = fds.length;
    this.#polled = Buffer.alloc(fds.length * 8);
    this.#address = Number(koffi.address(this.#polled));
    for (const [i, fd] of fds.entries()) {
      this.#polled.writeInt32LE(fd, i * 8);
      this.#polled.writeInt16LE(POLLIN, i * 8 + 4);
    }
  }

  wait(timeoutMs: number): number {
    return call.poll(this.#address, this.#count, timeoutMs);
  }
}
