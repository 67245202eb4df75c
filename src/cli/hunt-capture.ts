/**
 * Capture files, pcap and pcapng, in pieces: from octets to packets. Both byte orders, any resolution of time.
 *
 *    pcap      24 octets of header (magic, …, link type), then packets: seconds, fraction, length kept, length, octets
 *    pcapng    blocks: type, length, …, length again. Section header, interface, packet (enhanced, simple, obsolete)
 *
 * draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
 */
import { FormatError } from './hunt-formats.ts';

/** A packet as it was captured; valid until the next one is read. */
export interface CapturedPacket {
  /** Milliseconds since 1970, with a fraction. */
  readonly atMs: number;
  /** Link-layer header type (tcpdump.org/linktypes.html). */
  readonly link: number;
  readonly octets: Buffer;
}

/** Longest packet, and longest block of a pcapng file. */
const PACKET_MAX = 1 << 18;
const BLOCK_MAX = 1 << 24;

const u32 = (octets: Buffer, at: number, isLittle: boolean): number =>
  isLittle ? octets.readUInt32LE(at) : octets.readUInt32BE(at);
const u16 = (octets: Buffer, at: number, isLittle: boolean): number =>
  isLittle ? octets.readUInt16LE(at) : octets.readUInt16BE(at);

/** Magic numbers as their octets stand in a file. */
export function isPcap(head: Uint8Array): boolean {
  const magic = ((head[0] << 24) | (head[1] << 16) | (head[2] << 8) | head[3]) >>> 0;
  return magic === 0xa1b2c3d4 || magic === 0xd4c3b2a1 || magic === 0xa1b23c4d || magic === 0x4d3cb2a1;
}

export const isPcapng = (head: Uint8Array): boolean =>
  head[0] === 0x0a && head[1] === 0x0d && head[2] === 0x0d && head[3] === 0x0a;

/** Takes the octets of a file in pieces and gives back the packets that have become whole. Throws FormatError. */
export interface CaptureReader {
  packets(chunk: Buffer): Generator<CapturedPacket>;
  /** Octets that belong to no whole packet so far; some at the end mean that the file was cut. */
  readonly left: number;
}

export class PcapFile implements CaptureReader {
  #rest: Buffer = Buffer.alloc(0);
  #link = -1;
  #isLittle = false;
  #isNano = false;

  get left(): number {
    return this.#rest.length;
  }

  *packets(chunk: Buffer): Generator<CapturedPacket> {
    const octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    this.#rest = octets;
    if (this.#link < 0) {
      if (octets.length < 24) return;
      this.#isLittle = octets[0] === 0xd4 || octets[0] === 0x4d;
      this.#isNano = octets[0] === 0x4d || octets[3] === 0x4d;
      this.#link = u32(octets, 20, this.#isLittle) & 0xffff;
      at = 24;
    }
    while (at + 16 <= octets.length) {
      const length = u32(octets, at + 8, this.#isLittle);
      if (length > PACKET_MAX) throw new FormatError(`a packet of ${length} octets; the file is damaged`);
      const end = at + 16 + length;
      if (end > octets.length) break;
      const fraction = u32(octets, at + 4, this.#isLittle) / (this.#isNano ? 1e6 : 1e3);
      const atMs = u32(octets, at, this.#isLittle) * 1000 + fraction;
      yield { atMs, link: this.#link, octets: octets.subarray(at + 16, end) };
      at = end;
    }
    this.#rest = octets.subarray(at);
  }
}

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;
/** Options of an interface. */
const END_OF_OPTIONS = 0;
const TIME_RESOLUTION = 9;
const TIME_OFFSET = 14;

interface Interface {
  readonly link: number;
  readonly snapLength: number;
  readonly unitsPerMs: number;
  readonly offsetMs: number;
}

export class PcapngFile implements CaptureReader {
  #rest: Buffer = Buffer.alloc(0);
  #isLittle = false;
  #interfaces: Interface[] = [];
  /** Simple packets have no time of their own. */
  #lastMs = 0;

  get left(): number {
    return this.#rest.length;
  }

  *packets(chunk: Buffer): Generator<CapturedPacket> {
    const octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    this.#rest = octets;
    while (at + 12 <= octets.length) {
      // The type of a section header reads the same in both byte orders.
      if (octets.readUInt32BE(at) === SECTION_HEADER) this.#beginSection(octets, at);
      const length = u32(octets, at + 4, this.#isLittle);
      if (length < 12 || length > BLOCK_MAX || length % 4 !== 0)
        throw new FormatError(`a block of ${length} octets; the file is damaged or no pcapng file`);
      if (at + length > octets.length) break;
      const packet = this.#block(octets.subarray(at, at + length));
      if (packet !== null) yield packet;
      at += length;
    }
    this.#rest = octets.subarray(at);
  }

  #beginSection(octets: Buffer, at: number): void {
    const magic = octets.readUInt32BE(at + 8);
    if (magic !== 0x1a2b3c4d && magic !== 0x4d3c2b1a)
      throw new FormatError('a section without its byte-order magic; the file is damaged or no pcapng file');
    this.#isLittle = magic === 0x4d3c2b1a;
    this.#interfaces = [];
  }

  #block(block: Buffer): CapturedPacket | null {
    const isLittle = this.#isLittle;
    switch (u32(block, 0, isLittle)) {
      case INTERFACE:
        if (block.length >= 20) this.#interfaces.push(readInterface(block, isLittle));
        return null;
      case ENHANCED_PACKET:
        return block.length < 32 ? null : this.#packet(block, u32(block, 8, isLittle));
      case OBSOLETE_PACKET:
        return block.length < 32 ? null : this.#packet(block, u16(block, 8, isLittle));
      case SIMPLE_PACKET: {
        const on = this.#interfaceAt(0);
        const length = Math.min(u32(block, 8, isLittle), on.snapLength, block.length - 16);
        return { atMs: this.#lastMs, link: on.link, octets: block.subarray(12, 12 + length) };
      }
      default:
        return null;
    }
  }

  #packet(block: Buffer, number: number): CapturedPacket {
    const isLittle = this.#isLittle;
    const on = this.#interfaceAt(number);
    const units = u32(block, 12, isLittle) * 2 ** 32 + u32(block, 16, isLittle);
    const length = Math.min(u32(block, 20, isLittle), block.length - 32);
    this.#lastMs = units / on.unitsPerMs + on.offsetMs;
    return { atMs: this.#lastMs, link: on.link, octets: block.subarray(28, 28 + length) };
  }

  #interfaceAt(number: number): Interface {
    const on = this.#interfaces[number];
    if (on === undefined)
      throw new FormatError(
        `a packet of interface ${number}, which the file does not describe; it is damaged`,
      );
    return on;
  }
}

function readInterface(block: Buffer, isLittle: boolean): Interface {
  let unitsPerMs = 1000;
  let offsetMs = 0;
  for (let at = 16; at + 8 <= block.length; ) {
    const code = u16(block, at, isLittle);
    const length = u16(block, at + 2, isLittle);
    if (code === END_OF_OPTIONS || at + 4 + length > block.length - 4) break;
    const value = at + 4;
    if (code === TIME_RESOLUTION && length === 1) {
      const power = block[value] & 0x7f;
      unitsPerMs = ((block[value] & 0x80) === 0 ? 10 : 2) ** power / 1000;
    } else if (code === TIME_OFFSET && length === 8) {
      offsetMs = Number(isLittle ? block.readBigInt64LE(value) : block.readBigInt64BE(value)) * 1000;
    }
    at = value + Math.ceil(length / 4) * 4;
  }
  const snapLength = u32(block, 12, isLittle);
  return {
    link: u16(block, 8, isLittle),
    snapLength: snapLength === 0 ? PACKET_MAX : snapLength,
    unitsPerMs,
    offsetMs,
  };
}
