/**
 * A query in flight. One object for each slot, made when the slot is first used and filled anew for every message.
 *
 * `octets` hold the query as it came and then, in place, its response: header and question stay where they are, which
 * is how the question is echoed octet for octet. What the path needs from behind the question is read before that.
 */
import type { StreamMessage } from '../listen/contract.ts';
import type { Datagram, DatagramSocket } from '../net/index.ts';
import { CD, messageId, RD } from '../wire/index.ts';
import type { Finding } from './contract.ts';
import type { Flight, WaitingList } from './flights.ts';
import { giveLarge } from './large.ts';
import type { ClientQueue } from './pending.ts';
import type { Site } from './site.ts';

/** Transports as numbers, in the order in which they are counted. */
export const Transport = { UDP: 0, TCP: 1, DOT: 2, DOH: 3 } as const;
export type Transport = (typeof Transport)[keyof typeof Transport];
export const TRANSPORT_NAMES = ['udp', 'tcp', 'dot', 'doh'] as const;

const COOKIE_LENGTH_MAX = 40;

export class Query {
  octets: Uint8Array;
  /** Octets of the query; from `respond` on, of the response. */
  length = 0;
  transport: Transport = Transport.UDP;
  client: Uint8Array;
  clientLength = 4;
  clientPort = 0;

  /** Where it came from and where its response goes; exactly one of `datagram` and `message` is set. */
  socket: DatagramSocket | null = null;
  datagram: Datagram | null = null;
  message: StreamMessage | null = null;

  /** Monotonic clock, milliseconds. */
  arrivedAtMs = 0;
  /** When the client gets its SERVFAIL at the latest. */
  deadlineAtMs = 0;

  id = 0;
  /** Third octet of the header: opcode, RD. */
  flagsHigh = 0;
  recursionDesired = false;
  checkingDisabled = false;
  /** AD in a query: the client understands AD in the response (RFC 6840 section 5.7). */
  authenticDesired = false;
  /** Position behind the question; 12 when there is none that can be echoed. */
  questionEnd = 12;
  qtype = 0;
  qclass = 0;
  hasEdns = false;
  dnssecOk = false;
  wantsPadding = false;
  /** How long its connection may rest, as the client asked to be told (RFC 7828); −1 when it is not told. */
  keepaliveMs = -1;
  /** Record for a client that signed its query with a key nobody here knows, or null. */
  signature: Uint8Array | null = null;
  /** Most octets of the response. */
  responseMax = 512;
  readonly cookie = new Uint8Array(COOKIE_LENGTH_MAX);
  cookieLength = 0;

  site: Site;
  group = -1;
  /** What the detector found, where the group only wants it recorded; null otherwise. */
  evidence: readonly string[] | null = null;
  /** What would have denied it there. */
  observedCause: 'tunnel' | 'secret' = 'tunnel';
  /** What its name gives away; undefined until it was looked at. What the cache answers never is. */
  finding: Finding | null | undefined = undefined;

  /** Rcode of the response, −1 when none is sent. */
  rcode = -1;
  /** While it waits for an upstream: its flight, its list, and its neighbours in that list. */
  flight: Flight | null = null;
  waitingList: WaitingList | null = null;
  waitingBefore: Query | null = null;
  waitingAfter: Query | null = null;
  /** Its client's queue, its neighbours there, and the places where it is counted (pending.ts). */
  clientQueue: ClientQueue | null = null;
  clientBefore: Query | null = null;
  clientAfter: Query | null = null;
  narrowShare = 0;
  wideShare = 0;
  /** The next query that waits for the same reply. */
  nextInFlight: Query | null = null;

  /** Room for the address of a client behind a load balancer; made with the first. */
  #inner: Uint8Array | null = null;

  constructor(site: Site) {
    this.site = site;
    this.octets = NOTHING;
    this.client = NOTHING;
  }

  fromDatagram(socket: DatagramSocket, datagram: Datagram, site: Site, nowMs: number): void {
    this.socket = socket;
    this.datagram = datagram;
    this.message = null;
    this.transport = Transport.UDP;
    this.#take(datagram.octets, datagram.length, site, nowMs);
    this.client = datagram.peer;
    this.clientLength = datagram.peerLength;
    this.clientPort = datagram.peerPort;
  }

  /** The client that a load balancer speaks for: judged, limited and recorded in its place. The address is copied. */
  speakFor(address: Uint8Array, length: number, port: number): void {
    const inner = this.#inner ?? new Uint8Array(16);
    this.#inner = inner;
    for (let i = 0; i < length; i++) inner[i] = address[i];
    this.client = inner;
    this.clientLength = length;
    this.clientPort = port;
  }

  fromStream(message: StreamMessage, site: Site, nowMs: number): void {
    this.socket = null;
    this.datagram = null;
    this.message = message;
    this.transport =
      message.transport === 'tcp'
        ? Transport.TCP
        : message.transport === 'dot'
          ? Transport.DOT
          : Transport.DOH;
    this.#take(message.octets, message.length, site, nowMs);
    this.client = message.peer;
    this.clientLength = message.peerLength;
    this.clientPort = message.peerPort;
  }

  #take(octets: Uint8Array, length: number, site: Site, nowMs: number): void {
    this.octets = octets;
    this.length = length;
    this.site = site;
    this.arrivedAtMs = nowMs;
    this.id = messageId(octets);
    this.flagsHigh = octets[2];
    this.recursionDesired = (octets[2] & RD) !== 0;
    this.checkingDisabled = (octets[3] & CD) !== 0;
    this.authenticDesired = (octets[3] & 0x20) !== 0;
    this.questionEnd = 12;
    this.qtype = 0;
    this.qclass = 0;
    this.hasEdns = false;
    this.dnssecOk = false;
    this.wantsPadding = false;
    this.keepaliveMs = -1;
    this.signature = null;
    this.cookieLength = 0;
    this.group = -1;
    this.evidence = null;
    this.finding = undefined;
    this.rcode = -1;
    this.nextInFlight = null;
  }

  /** Lets go of what belonged to the message that was answered. */
  release(): void {
    giveLarge(this.octets);
    this.message = null;
    this.octets = NOTHING;
  }

  get isStream(): boolean {
    return this.message !== null;
  }
}

const NOTHING = new Uint8Array(0);
