/** What a pool of upstreams is made of, the bounds of this room, and what it tells the log. */
import type { Engine } from '../net/datagram.ts';

export type Transport = 'udp' | 'tcp' | 'tls' | 'https';

export interface ServerOptions {
  readonly transport: Transport;
  /** IPv4 or IPv6 literal; empty when only a name is known, which then is looked up at the pool's bootstrap servers. */
  readonly address: string;
  readonly port: number;
  /** Name the certificate must carry (tls, https); without it the certificate must carry the address. */
  readonly serverName?: string;
  /** Path of the DoH resource, `/dns-query`. */
  readonly path?: string;
  /** Base64 of the SHA-256 of an acceptable SubjectPublicKeyInfo (RFC 7858 section 4.2). One must match. */
  readonly spkiPins?: readonly string[];
  /** PEM file of the authorities to believe instead of Node's own list. */
  readonly caFile?: string;
}

export type Strategy = 'fastest' | 'ordered' | 'random';

export interface PoolOptions {
  readonly name: string;
  /** At most SERVERS_MAX servers. With none every question is unreachable. */
  readonly servers: readonly ServerOptions[];
  /** `fastest` by default. */
  readonly strategy?: Strategy;
  /** Most UDP sockets open at once to each server, in this worker; the process should have 128 or more in all. */
  readonly sockets?: number;
  /** A pool with encrypted servers never asks over a plain transport; true by default. */
  readonly strict?: boolean;
  /** Plain servers, given by address, that find the addresses of servers known by name only. */
  readonly bootstrap?: readonly ServerOptions[];
  /** Ask each server once whether it knows DNS cookies (RFC 7873) and use them if so; true by default. */
  readonly cookies?: boolean;
  /** Mix the case of letters (0x20) for servers that keep it; true by default. */
  readonly mixCase?: boolean;
}

/** What the log is told: changes of state, never one line for a query. */
export type UpstreamEvent =
  | {
      readonly event: 'server-down';
      readonly pool: string;
      readonly server: string;
      readonly reason: DownReason;
    }
  | { readonly event: 'server-up'; readonly pool: string; readonly server: string; readonly downMs: number }
  | { readonly event: 'pool-empty'; readonly pool: string }
  | { readonly event: 'flood'; readonly pool: string; readonly server: string; readonly localPort: number }
  | {
      readonly event: 'link-error';
      readonly pool: string;
      readonly server: string;
      readonly message: string;
    };

export type DownReason =
  | 'silent'
  | 'refused'
  /** No socket can be opened to its address. */
  | 'no-socket'
  /** This process may open no more sockets. */
  | 'no-descriptor'
  /** Its name has not been found yet. */
  | 'no-address';

export interface UpstreamsOptions {
  readonly engine: Engine;
  readonly pools: readonly PoolOptions[];
  readonly log: (event: UpstreamEvent) => void;
  /** Clock in milliseconds, `performance.now` unless a test brings its own. */
  readonly now?: () => number;
  /** Questions in flight in all pools of this worker; IN_FLIGHT_MAX by default. */
  readonly inFlightMax?: number;
  /** Questions in flight at one server; SERVER_IN_FLIGHT_MAX by default. */
  readonly serverInFlightMax?: number;
  /** Least sockets to each server while it is asked, in this worker: 128 over all workers. */
  readonly socketsAwake?: number;
  /** Seconds and queries after which a UDP socket gives way to one on a new port. */
  readonly socketSecondsMax?: number;
  readonly socketQueriesMax?: number;
}

export const SERVERS_MAX = 16;
export const SOCKETS_DEFAULT = 128;
/** Sockets that the workers together have open to a server that is asked, so that there is something to pick from. */
export const SOCKETS_AWAKE = 128;
/** Sockets kept open to a server that nobody asks. */
export const SOCKETS_IDLE = 2;
export const SOCKET_SECONDS_MAX = 30;
export const SOCKET_QUERIES_MAX = 2000;
export const IN_FLIGHT_MAX = 8192;
export const SERVER_IN_FLIGHT_MAX = 4096;
/** Most messages to upstreams for one question, all servers and transports together. */
export const MESSAGES_MAX = 8;
/** One message and two retransmissions to a server over UDP (RFC 9520 section 3.1). */
export const SENDS_MAX = 3;
/** Replies with the right id but another question, after which the question goes over TCP. */
export const MISMATCHES_MAX = 3;
/** Replies on one socket that belong to nothing asked there, after which its questions go over TCP on other ports. */
export const FLOOD_MAX = 50;
/** UDP size we advertise (RFC 6891; 1232 avoids fragments). */
export const UDP_SIZE = 1232;
