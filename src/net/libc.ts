/**
 * The few functions of the C library that batched datagrams need, bound by koffi. The only file that knows koffi.
 *
 * Addresses in memory are passed as numbers (they are below 2^53), because koffi turns a number into a register at
 * no cost, while a typed array or a bigint is looked at first. `recvmmsg` and `sendmmsg` go through `syscall`: musl's
 * `sendmmsg` sends one at a time, and the layouts here are the kernel's own (see mmsg.ts).
 */
import { readFileSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';

/** Numbers of <sys/socket.h>, <netinet/in.h>, <sys/epoll.h> for Linux on x64 and arm64. */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
export const SOL_SOCKET = 1;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_REUSEPORT = 15;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const IPPROTO_IP = 0;
export const IP_PKTINFO = 8;
export const IP_MTU_DISCOVER = 10;
export const IPPROTO_IPV6 = 41;
export const IPV6_MTU_DISCOVER = 23;
export const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const PMTUDISC_OMIT = 5;
export const SOL_UDP = 17;
export const UDP_SEGMENT = 103;
export const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
export const EPOLL_CTL_ADD = 1;
export const EPOLLIN = 1;

export const EINTR = 4;
export const EIO = 5;
export const EAGAIN = 11;
export const EINVAL = 22;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const ECONNREFUSED = 111;

const CALL_NUMBERS: Partial<Record<NodeJS.Architecture, { recvmmsg: number; sendmmsg: number }>> = {
  x64: { recvmmsg: 299, sendmmsg: 307 },
  arm64: { recvmmsg: 243, sendmmsg: 269 },
};

/** All return a non-negative number, or −1 with the cause in `errno()`. */
export interface Libc {
  socket(family: number, type: number, protocol: number): number;
  setsockopt(fd: number, level: number, option: number, value: number, length: number): number;
  bind(fd: number, address: number, length: number): number;
  connect(fd: number, address: number, length: number): number;
  getsockname(fd: number, address: number, length: number): number;
  close(fd: number): number;
  /** Has `fd` closed when this thread ends without closing it, be it killed: `forget` takes that back. */
  closeWithThread(fd: number): void;
  forget(fd: number): void;
  epollCreate(): number;
  epollControl(epoll: number, operation: number, fd: number, event: number): number;
  epollWait(epoll: number, events: number, count: number): number;
  recvmmsg(fd: number, headers: number, count: number): number;
  sendmmsg(fd: number, headers: number, count: number): number;
  errno(): number;
  /** Where the memory of `octets` lies. The caller keeps it alive for as long as the address is used. */
  addressOf(octets: Uint8Array): number;
  /** Calls `ring` from the event loop whenever `fd` is readable. */
  poll(fd: number, ring: () => void): Poll;
}

export interface Poll {
  close(): void;
}

export type LoadedLibc = { readonly libc: Libc } | { readonly libc: null; readonly reason: string };

/** Binds the library, or says why it cannot: another system, koffi missing or too old, a function missing. */
export async function loadLibc(): Promise<LoadedLibc> {
  if (process.platform !== 'linux')
    return { libc: null, reason: `recvmmsg is not used on ${process.platform}` };
  const numbers = CALL_NUMBERS[process.arch];
  if (numbers === undefined)
    return { libc: null, reason: `no system call numbers known for ${process.arch}` };
  try {
    return { libc: await bindLibc(numbers) };
  } catch (error) {
    return { libc: null, reason: `koffi: ${error instanceof Error ? error.message : String(error)}` };
  }
}

async function bindLibc(numbers: { recvmmsg: number; sendmmsg: number }): Promise<Libc> {
  const { default: koffi } = await import('koffi');
  if (typeof koffi.node?.poll !== 'function')
    throw new Error('this version has no node.poll; 3.3 or later does');
  const library = koffi.load(null);
  pinLibrary(library.func('void *dlopen(const char *, int)'));
  const epollCreate = library.func('int epoll_create1(int)');
  const epollWait = library.func('int epoll_wait(int, uintptr_t, int, int)');
  const call = library.func('long syscall(long, int, uintptr_t, unsigned int, int, uintptr_t)');
  const { recvmmsg, sendmmsg } = numbers;
  // Node runs these hooks however a worker ends, also when it is terminated or out of memory and no JavaScript runs.
  const addHook = library.func('int napi_add_env_cleanup_hook(uintptr_t, uintptr_t, uintptr_t)');
  const removeHook = library.func('int napi_remove_env_cleanup_hook(uintptr_t, uintptr_t, uintptr_t)');
  const { env } = koffi.node;
  const closeAddress = library.symbol('close');
  const EPOLL_CLOEXEC = 0o2000000;
  return {
    socket: library.func('int socket(int, int, int)'),
    setsockopt: library.func('int setsockopt(int, int, int, uintptr_t, uint32_t)'),
    bind: library.func('int bind(int, uintptr_t, uint32_t)'),
    connect: library.func('int connect(int, uintptr_t, uint32_t)'),
    getsockname: library.func('int getsockname(int, uintptr_t, uintptr_t)'),
    close: library.func('int close(int)'),
    closeWithThread: (fd) => addHook(env, closeAddress, fd),
    forget: (fd) => removeHook(env, closeAddress, fd),
    epollCreate: () => epollCreate(EPOLL_CLOEXEC),
    epollControl: library.func('int epoll_ctl(int, int, int, uintptr_t)'),
    epollWait: (epoll, events, count) => epollWait(epoll, events, count, 0),
    recvmmsg: (fd, headers, count) => call(recvmmsg, fd, headers, count, MSG_DONTWAIT, 0),
    sendmmsg: (fd, headers, count) => call(sendmmsg, fd, headers, count, MSG_DONTWAIT, 0),
    errno: () => koffi.errno(),
    addressOf: (octets) => Number(koffi.address(octets)),
    poll: (fd, ring) => koffi.node.poll(fd, ring),
  };
}

/**
 * Keeps koffi's own library in memory until the process ends. When a worker that alone uses it is terminated, Node unloads
 * the library while the event loop still has to call into it to close the poll handle, and the process would crash.
 */
function pinLibrary(dlopen: (path: string, flags: number) => unknown): void {
  const RTLD_NOW_NOLOAD_NODELETE = 0x2 | 0x4 | 0x1000;
  const path = /^(?:\S+ +){5}(.*koffi\.node)$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[1];
  if (path === undefined || !dlopen(path, RTLD_NOW_NOLOAD_NODELETE))
    throw new Error('its library cannot be pinned');
}

/** What the kernel said, as Node would report it. `doing` ends with what it was done to, such as `connect 192.0.2.1`. */
export function systemError(
  errno: number,
  syscall: string,
  doing: string,
  advise: (code: string) => string = () => '',
): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const error: NodeJS.ErrnoException = new Error(`${doing}: ${code}${advise(code)}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  return error;
}
