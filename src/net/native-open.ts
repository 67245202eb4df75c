/**
 * Opening sockets for the native engine: addresses in the kernel's form, options, bind and connect.
 *
 *    sockaddr_in    family 2   port 2   address 4   (zero 8)                        16 octets
 *    sockaddr_in6   family 2   port 2   flow 4      address 16   scope 4            28 octets
 */
import { IPV4_LENGTH, IPV6_LENGTH } from './address.ts';
import type { Endpoint } from './datagram.ts';
import { bindAdvice, openAdvice } from './endpoint.ts';
import type { Libc } from './libc.ts';
import * as c from './libc.ts';

export const NAME_LENGTH_V4 = 16;
export const NAME_LENGTH_V6 = 28;

const VALUE_AT = 32;

/** Calls that pass a little memory: a socket address or the value of an option. One for each thread. */
export class Opener {
  readonly #libc: Libc;
  readonly #octets = new Uint8Array(new ArrayBuffer(64));
  readonly #view = new DataView(this.#octets.buffer);
  readonly #address: number;
  /** Whether this process has the capability to pass the limit of buffers; found out once. */
  #mayForce = true;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#address = libc.addressOf(this.#octets);
  }

  /**
   * A datagram socket. Path MTU discovery is switched off and what ICMP says of it ignored, so that nobody can make
   * responses travel in fragments, of which the second carries neither port nor id.
   */
  create(addressLength: number): number {
    const isV4 = addressLength === IPV4_LENGTH;
    const fd = this.#libc.socket(isV4 ? c.AF_INET : c.AF_INET6, c.SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
    if (fd < 0) {
      throw c.systemError(
        this.#libc.errno(),
        'socket',
        `open a UDP socket for ${isV4 ? 'IPv4' : 'IPv6'}`,
        openAdvice,
      );
    }
    // Older kernels and sandboxes may not know the option; then fragments are as likely as everywhere else.
    if (isV4) this.set(fd, c.IPPROTO_IP, c.IP_MTU_DISCOVER, c.PMTUDISC_OMIT);
    else this.set(fd, c.IPPROTO_IPV6, c.IPV6_MTU_DISCOVER, c.PMTUDISC_OMIT);
    return fd;
  }

  /** Sets a buffer. The forced option passes the system's limit and needs a capability, the plain one takes what it gets. */
  setReceiveBuffer(fd: number, length: number): void {
    this.#setBuffer(fd, c.SO_RCVBUFFORCE, c.SO_RCVBUF, length);
  }

  setSendBuffer(fd: number, length: number): void {
    this.#setBuffer(fd, c.SO_SNDBUFFORCE, c.SO_SNDBUF, length);
  }

  #setBuffer(fd: number, forced: number, plain: number, length: number): void {
    if (this.#mayForce && this.set(fd, c.SOL_SOCKET, forced, length)) return;
    this.#mayForce = false;
    this.set(fd, c.SOL_SOCKET, plain, length);
  }

  /** Sets an option that holds an int; false when the kernel refuses it. */
  set(fd: number, level: number, option: number, value: number): boolean {
    this.#view.setInt32(VALUE_AT, value, true);
    return this.#libc.setsockopt(fd, level, option, this.#address + VALUE_AT, 4) === 0;
  }

  /** Sets an option without which the socket would be wrong. */
  require(fd: number, level: number, option: number, value: number, what: string): void {
    if (!this.set(fd, level, option, value)) throw c.systemError(this.#libc.errno(), 'setsockopt', what);
  }

  bind(fd: number, address: Uint8Array, local: Endpoint): void {
    const length = this.#putName(address, local.port);
    if (this.#libc.bind(fd, this.#address, length) < 0) throw bindError(this.#libc.errno(), local);
  }

  connect(fd: number, address: Uint8Array, peer: Endpoint): void {
    const length = this.#putName(address, peer.port);
    if (this.#libc.connect(fd, this.#address, length) < 0) {
      throw c.systemError(this.#libc.errno(), 'connect', `connect UDP ${peer.address} port ${peer.port}`);
    }
  }

  /** The port that a socket is bound to. */
  localPort(fd: number): number {
    this.#view.setUint32(VALUE_AT, NAME_LENGTH_V6, true);
    if (this.#libc.getsockname(fd, this.#address, this.#address + VALUE_AT) < 0) {
      throw c.systemError(this.#libc.errno(), 'getsockname', 'reading the port of a UDP socket');
    }
    return this.#view.getUint16(2, false);
  }

  close(fd: number): void {
    this.#libc.close(fd);
  }

  /** A socket address as the kernel has it; the same memory each time. */
  nameOf(address: Uint8Array, port: number): Uint8Array {
    return this.#octets.subarray(0, this.#putName(address, port));
  }

  #putName(address: Uint8Array, port: number): number {
    const isV6 = address.length === IPV6_LENGTH;
    this.#octets.fill(0);
    this.#view.setUint16(0, isV6 ? c.AF_INET6 : c.AF_INET, true);
    this.#view.setUint16(2, port, false);
    this.#octets.set(address, isV6 ? 8 : 4);
    return isV6 ? NAME_LENGTH_V6 : NAME_LENGTH_V4;
  }
}

function bindError(errno: number, local: Endpoint): NodeJS.ErrnoException {
  return c.systemError(errno, 'bind', `listen on UDP ${local.address} port ${local.port}`, bindAdvice);
}
