/**
 * Classic pcap files (not pcapng): Ethernet, Linux cooked, raw and loopback frames with UDP to or from port 53, and TCP
 * segments that hold a whole message. Both byte orders, micro- and nanoseconds.
 */
import { FormatError } from './hunt-formats.ts';
import { addressText, messageRecord } from './hunt-messages.ts';
import type { HuntRecord } from './hunt-records.ts';

const PACKET_MAX = 1 << 18;
const DNS_PORT = 53;

/** Magic numbers as their octets stand in a file. */
export function isPcap(head: Uint8Array): boolean {
  const magic = ((head[0] << 24) | (head[1] << 16) | (head[2] << 8) | head[3]) >>> 0;
  return magic === 0xa1b2c3d4 || magic === 0xd4c3b2a1 || magic === 0xa1b23c4d || magic === 0x4d3cb2a1;
}

export const isPcapng = (head: Uint8Array): boolean =>
  head[0] === 0x0a && head[1] === 0x0d && head[2] === 0x0d && head[3] === 0x0a;

/** Takes the octets of a file in pieces and gives back the records that have become whole. */
export class PcapReader {
  #rest: Buffer = Buffer.alloc(0);
  #packet = 0;
  #link = -1;
  #isLittle = false;
  #isNano = false;
  #sawQueries = false;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  *read(chunk: Buffer): Generator<HuntRecord> {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (this.#link < 0) {
      if (this.#rest.length < 24) return;
      this.#isLittle = this.#rest[0] === 0xd4 || this.#rest[0] === 0x4d;
      this.#isNano = this.#rest[0] === 0x4d || this.#rest[3] === 0x4d;
      this.#link = this.#u32(20) & 0xffff;
      at = 24;
    }
    while (at + 16 <= this.#rest.length) {
      const length = this.#u32(at + 8);
      if (length > PACKET_MAX) throw new FormatError(`a packet of ${length} octets; the file is damaged`);
      if (at + 16 + length > this.#rest.length) break;
      const atMs = this.#u32(at) * 1000 + this.#u32(at + 4) / (this.#isNano ? 1e6 : 1e3);
      this.#packet++;
      const record = this.#record(this.#rest.subarray(at + 16, at + 16 + length), atMs);
      if (record !== null) yield record;
      at += 16 + length;
    }
    this.#rest = this.#rest.subarray(at);
  }

  #u32(at: number): number {
    return this.#isLittle ? this.#rest.readUInt32LE(at) : this.#rest.readUInt32BE(at);
  }

  #record(packet: Buffer, atMs: number): HuntRecord | null {
    let at = networkAt(packet, this.#link);
    if (at < 0 || packet.length < at + 20) return null;
    const version = packet[at] >> 4;
    let source: Buffer;
    let target: Buffer;
    let protocol: number;
    if (version === 4) {
      protocol = packet[at + 9];
      source = packet.subarray(at + 12, at + 16);
      target = packet.subarray(at + 16, at + 20);
      // A later fragment has no ports.
      if ((packet.readUInt16BE(at + 6) & 0x1fff) !== 0) return null;
      at += (packet[at] & 15) * 4;
    } else if (version === 6 && packet.length >= at + 40) {
      protocol = packet[at + 6];
      source = packet.subarray(at + 8, at + 24);
      target = packet.subarray(at + 24, at + 40);
      at += 40;
    } else return null;
    if (packet.length < at + 8) return null;
    const from = packet.readUInt16BE(at);
    const to = packet.readUInt16BE(at + 2);
    if (from !== DNS_PORT && to !== DNS_PORT) return null;
    if (protocol === 17) at += 8;
    else if (protocol === 6 && packet.length > at + 20) at += (packet[at + 12] >> 4) * 4 + 2;
    else return null;
    if (at >= packet.length) return null;
    const isQuery = to === DNS_PORT;
    if (isQuery) this.#sawQueries = true;
    const client = addressText(isQuery ? source : target);
    return messageRecord(packet.subarray(at), atMs, client, this.#packet, this.#file, this.#sawQueries);
  }
}

/** Where the network header begins, by link type; −1 when it is neither IPv4 nor IPv6. */
function networkAt(packet: Buffer, link: number): number {
  switch (link) {
    case 0: // BSD loopback
    case 108:
      return 4;
    case 1: {
      let at = 12;
      while (
        packet.length > at + 2 &&
        (packet.readUInt16BE(at) === 0x8100 || packet.readUInt16BE(at) === 0x88a8)
      )
        at += 4;
      if (packet.length < at + 2) return -1;
      const type = packet.readUInt16BE(at);
      return type === 0x0800 || type === 0x86dd ? at + 2 : -1;
    }
    case 12: // raw IP, as BSD and Linux number it
    case 101:
      return 0;
    case 113: // Linux cooked
      return 16;
    case 276: // Linux cooked, version 2
      return 20;
    default:
      return -1;
  }
}
