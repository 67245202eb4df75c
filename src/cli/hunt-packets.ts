/**
 * Packets to DNS messages: link layer, IPv4 or IPv6, UDP, and TCP put together again. What cannot be used is counted, so
 * that the summary can say what the capture lacked.
 */
import { addressTextOf } from '../wire/index.ts';
import type { CapturedPacket } from './hunt-capture.ts';
import { FormatError } from './hunt-formats.ts';
import { messageRecord } from './hunt-messages.ts';
import type { HuntRecord } from './hunt-records.ts';
import { TcpStreams } from './hunt-tcp.ts';

/** What was met in captures besides messages. */
export interface CaptureCounters {
  packets: number;
  /** Packets to or from the port that is looked at. */
  dns: number;
  /** Fragments of UDP over IP: only whole packets are read. */
  fragments: number;
  /** Packets that the capture kept in part. */
  cut: number;
  /** Times that octets of a TCP connection were missing, or too many had to be held. */
  gaps: number;
}

export const noCaptureCounters = (): CaptureCounters => ({
  packets: 0,
  dns: 0,
  fragments: 0,
  cut: 0,
  gaps: 0,
});

const UDP = 17;
const TCP = 6;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const VLAN_TAGS = new Set([0x8100, 0x88a8, 0x9100]);
/** IPv6 headers that stand before the payload: hop-by-hop, routing, destination options. */
const EXTENSIONS = new Set([0, 43, 60]);
const FRAGMENT = 44;
const MALFORMED = -1;

export class PacketReader {
  readonly #file: string;
  readonly #port: number;
  readonly #counters: CaptureCounters;
  readonly #streams: TcpStreams;
  #sawQueries = false;

  constructor(file: string, port: number, counters: CaptureCounters) {
    this.#file = file;
    this.#port = port;
    this.#counters = counters;
    this.#streams = new TcpStreams(() => {
      counters.gaps++;
    });
  }

  /** Records of the messages that this packet completes; `number` counts packets of the file, from 1. */
  *records({ atMs, link, octets }: CapturedPacket, number: number): Generator<HuntRecord> {
    this.#counters.packets++;
    const at = networkAt(octets, link);
    if (at === MALFORMED || octets.length < at + 20) return;
    const version = octets[at] >> 4;
    if (version === 4) yield* this.#ipv4(octets, at, atMs, number);
    else if (version === 6 && octets.length >= at + 40) yield* this.#ipv6(octets, at, atMs, number);
  }

  *#ipv4(packet: Buffer, at: number, atMs: number, number: number): Generator<HuntRecord> {
    const protocol = packet[at + 9];
    // More fragments, or not the first.
    if ((packet.readUInt16BE(at + 6) & 0x3fff) !== 0) {
      if (protocol === UDP) this.#counters.fragments++;
      return;
    }
    const end = endOf(at, packet.readUInt16BE(at + 2), packet);
    const source = packet.subarray(at + 12, at + 16);
    const target = packet.subarray(at + 16, at + 20);
    yield* this.#transport(packet, at + (packet[at] & 15) * 4, end, protocol, source, target, atMs, number);
  }

  *#ipv6(packet: Buffer, at: number, atMs: number, number: number): Generator<HuntRecord> {
    const end = endOf(at + 40, packet.readUInt16BE(at + 4), packet);
    const source = packet.subarray(at + 8, at + 24);
    const target = packet.subarray(at + 24, at + 40);
    let protocol = packet[at + 6];
    let next = at + 40;
    while (EXTENSIONS.has(protocol) && next + 8 <= packet.length) {
      protocol = packet[next];
      next += (packet[next + 1] + 1) * 8;
    }
    if (protocol === FRAGMENT) {
      if (next < packet.length && packet[next] === UDP) this.#counters.fragments++;
      return;
    }
    yield* this.#transport(packet, next, end, protocol, source, target, atMs, number);
  }

  *#transport(
    packet: Buffer,
    at: number,
    networkEnd: number,
    protocol: number,
    source: Buffer,
    target: Buffer,
    atMs: number,
    number: number,
  ): Generator<HuntRecord> {
    if ((protocol !== UDP && protocol !== TCP) || packet.length < at + 8) return;
    const from = packet.readUInt16BE(at);
    const to = packet.readUInt16BE(at + 2);
    if (from !== this.#port && to !== this.#port) return;
    this.#counters.dns++;
    const isQuery = to === this.#port;
    const client = isQuery ? source : target;
    const record = (message: Uint8Array): HuntRecord | null => {
      if (isQuery) this.#sawQueries = true;
      const text = addressTextOf(client, 0, client.length);
      return messageRecord(message, atMs, text, number, this.#file, this.#sawQueries);
    };
    // Ethernet pads short frames, and a capture may keep only the head of long ones.
    const end = Math.min(networkEnd, packet.length);
    if (networkEnd > packet.length) this.#counters.cut++;
    if (protocol === UDP) {
      const found = record(packet.subarray(at + 8, Math.max(at + 8, end)));
      if (found !== null) yield found;
      return;
    }
    if (packet.length < at + 20) return;
    const payloadAt = at + (packet[at + 12] >> 4) * 4;
    const key = `${source.toString('hex')}${from} ${target.toString('hex')}${to}`;
    const segment = {
      sequence: packet.readUInt32BE(at + 4),
      flags: packet[at + 13],
      payload: packet.subarray(payloadAt, Math.max(payloadAt, end)),
    };
    for (const message of this.#streams.take(key, segment)) {
      const found = record(message);
      if (found !== null) yield found;
    }
  }
}

/** A length of 0 is left to the network card to fill in, after the packet was captured. */
const endOf = (at: number, length: number, packet: Buffer): number =>
  length === 0 ? packet.length : at + length;

/** Where the network header begins, by link type; MALFORMED when it is neither IPv4 nor IPv6. */
function networkAt(packet: Buffer, link: number): number {
  switch (link) {
    case 0: // BSD loopback
    case 108: // OpenBSD loopback
      return 4;
    case 1: // Ethernet
      return behindType(packet, 12, 14);
    case 12: // raw IP, as BSD and Linux number it
    case 14:
    case 101:
    case 228:
    case 229:
      return 0;
    case 113: // Linux cooked
      return behindType(packet, 14, 16);
    case 276: // Linux cooked, version 2
      return behindType(packet, 0, 20);
    default:
      throw new FormatError(
        `link type ${link} is not read; Ethernet (1), Linux cooked (113, 276), raw IP (101) and loopback (0, 108) are; capture with "tcpdump -i any port 53"`,
      );
  }
}

/** The type of what follows is at `typeAt`, what follows at `next`; tags of VLANs may stand between. */
function behindType(packet: Buffer, typeAt: number, next: number): number {
  if (packet.length < next + 4) return MALFORMED;
  let type = packet.readUInt16BE(typeAt);
  for (let at = next; VLAN_TAGS.has(type); at = next) {
    if (packet.length < at + 8) return MALFORMED;
    type = packet.readUInt16BE(at + 2);
    next = at + 4;
  }
  return type === IPV4 || type === IPV6 ? next : MALFORMED;
}
