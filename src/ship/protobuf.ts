/** Writing protobuf messages, as much as dnstap needs: each function returns one field. Absent values make no octets. */

/** Wire types (protobuf encoding guide). */
const VARINT = 0;
const LENGTH = 2;
const FIXED32 = 5;

const NOTHING = Buffer.alloc(0);

/** A whole number up to 2^53 in groups of seven bits, the lowest first. */
function varint(value: number): number[] {
  const octets: number[] = [];
  while (value > 127) {
    octets.push((value % 128) | 128);
    value = Math.floor(value / 128);
  }
  octets.push(value);
  return octets;
}

const tag = (field: number, wire: number): number[] => varint(field * 8 + wire);

export const numberField = (field: number, value: number | null): Buffer =>
  value === null ? NOTHING : Buffer.from([...tag(field, VARINT), ...varint(value)]);

export function fixed32Field(field: number, value: number | null): Buffer {
  if (value === null) return NOTHING;
  const head = tag(field, FIXED32);
  const octets = Buffer.alloc(head.length + 4);
  octets.set(head);
  octets.writeUInt32LE(value, head.length);
  return octets;
}

export function octetsField(field: number, value: Uint8Array | string | null): Buffer {
  if (value === null) return NOTHING;
  const octets = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([Buffer.from([...tag(field, LENGTH), ...varint(octets.length)]), octets]);
}

export const messageField = (field: number, parts: readonly Buffer[]): Buffer =>
  octetsField(field, Buffer.concat(parts));
