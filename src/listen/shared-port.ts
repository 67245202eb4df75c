/**
 * A listening TCP socket on a port that every worker thread can listen on too (SO_REUSEPORT): the kernel spreads new
 * connections over them. Node can do that itself only from 22.12 and 23.1 on; before, the socket is made through koffi and handed
 * to Node as a descriptor.
 */
import { createRequire } from 'node:module';
import type { ListenOptions, Server } from 'node:net';
import { readAddress } from './address.ts';

/** How a port can be shared here: by Node, by a socket of our own, or not at all (then one thread listens). */
export type PortSharing = 'node' | 'native' | 'none';

const BACKLOG = 1024;

// Linux values; on other systems Node has to do it or nobody does.
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

interface Libc {
  socket(domain: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, name: number, value: Int32Array, length: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  listen(fd: number, backlog: number): number;
  close(fd: number): number;
  errno(): number;
}

/** What this platform and this Node can do. */
export function portSharing(): PortSharing {
  if (nodeShares()) return 'node';
  return libc() === null ? 'none' : 'native';
}

/** Starts listening; rejects with the error of the kernel (EADDRINUSE, EACCES, EADDRNOTAVAIL). */
export async function listen(server: Server, address: string, port: number, shared: boolean): Promise<void> {
  const options = listenOptions(address, port, shared);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function listenOptions(address: string, port: number, shared: boolean): ListenOptions {
  if (shared && !nodeShares()) {
    const native = libc();
    if (native !== null) return { fd: openShared(native, address, port), backlog: BACKLOG } as ListenOptions;
  }
  // Not among the types of the oldest Node that is supported.
  const reusePort = shared && nodeShares() ? { reusePort: true } : {};
  return { host: address, port, backlog: BACKLOG, exclusive: true, ...reusePort };
}

function nodeShares(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const supported = major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
  return supported && (process.platform === 'linux' || process.platform === 'freebsd');
}

let loaded: Libc | null | undefined;

function libc(): Libc | null {
  loaded ??= process.platform === 'linux' ? loadLibc() : null;
  return loaded;
}

function loadLibc(): Libc | null {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    return {
      socket: library.func('int socket(int, int, int)'),
      setsockopt: library.func('int setsockopt(int, int, int, const int *, uint32_t)'),
      bind: library.func('int bind(int, const uint8_t *, uint32_t)'),
      listen: library.func('int listen(int, int)'),
      close: library.func('int close(int)'),
      errno: () => koffi.errno(),
    };
  } catch {
    return null;
  }
}

function openShared(native: Libc, address: string, port: number): number {
  const ip = readAddress(address);
  if (ip === null) throw new Error(`"${address}" is no IP address; write one such as 127.0.0.1 or ::1`);
  const v6 = address.includes(':');
  const fd = native.socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const fault = (call: string): Error => {
    const errno = native.errno();
    if (fd >= 0) native.close(fd);
    return systemError(call, errno, address, port);
  };
  if (fd < 0) throw fault('socket');
  const on = new Int32Array([1]);
  native.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, on, 4);
  if (native.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, on, 4) < 0) throw fault('setsockopt');
  if (v6) native.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, new Int32Array([0]), 4);
  const name = v6 ? sockaddrIn6(ip.octets, port) : sockaddrIn(ip.octets, port);
  if (native.bind(fd, name, name.length) < 0) throw fault('bind');
  if (native.listen(fd, BACKLOG) < 0) throw fault('listen');
  return fd;
}

/** struct sockaddr_in: family (host order), port, address, eight octets of nothing. */
function sockaddrIn(address: Uint8Array, port: number): Uint8Array {
  const name = new Uint8Array(16);
  new Uint16Array(name.buffer)[0] = AF_INET;
  name.set([port >> 8, port & 0xff, ...address.subarray(0, 4)], 2);
  return name;
}

/** struct sockaddr_in6: family (host order), port, flow, address, scope. */
function sockaddrIn6(address: Uint8Array, port: number): Uint8Array {
  const name = new Uint8Array(28);
  new Uint16Array(name.buffer)[0] = AF_INET6;
  name.set([port >> 8, port & 0xff], 2);
  name.set(address, 8);
  return name;
}

const ERRNO_CODES: Record<number, string> = {
  1: 'EPERM',
  13: 'EACCES',
  24: 'EMFILE',
  98: 'EADDRINUSE',
  99: 'EADDRNOTAVAIL',
};

/** An error that looks like Node's own of the same cause. */
function systemError(call: string, errno: number, address: string, port: number): Error {
  const code = ERRNO_CODES[errno] ?? `E${errno}`;
  return Object.assign(new Error(`${call} ${code} ${address}:${port}`), {
    code,
    errno: -errno,
    syscall: call,
    address,
    port,
  });
}
