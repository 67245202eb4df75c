/** A reader of dnstap messages made from the schema, as small as a test needs: fields by number. */

export type Fields = ReadonlyMap<number, (Buffer | number)[]>;

/** Fields of one protobuf message. Throws when it is not one. */
export function readFields(octets: Buffer): Fields {
  const fields = new Map<number, (Buffer | number)[]>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= octets.length) throw new Error('a number without end');
      const octet = octets[at++]!;
      value += (octet & 127) * scale;
      if (octet < 128) return value;
    }
  };
  while (at < octets.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    let value: Buffer | number;
    if (tag % 8 === 0) value = varint();
    else if (tag % 8 === 5) {
      value = octets.readUInt32LE(at);
      at += 4;
    } else if (tag % 8 === 2) {
      const length = varint();
      if (at + length > octets.length) throw new Error('octets behind the end');
      value = octets.subarray(at, at + length);
      at += length;
    } else throw new Error(`wire type ${tag % 8}`);
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}

export interface Tap {
  readonly identity: string;
  readonly extra: { worker: number; seq: number; verdict: string; cause?: string };
  readonly type: string;
  readonly message: Fields;
  readonly policy: { type: string; rule: string; action: number | undefined; match: number; value: Buffer };
}

const TYPES = ['', 'AQ', 'AR', 'RQ', 'RR', 'CQ', 'CR', 'FQ', 'FR'];

export function readTap(frame: Buffer): Tap {
  const outer = readFields(frame);
  const message = readFields(outer.get(14)![0] as Buffer);
  const policy = readFields(message.get(15)![0] as Buffer);
  return {
    identity: String(outer.get(1)![0]),
    extra: JSON.parse(String(outer.get(3)![0])),
    type: TYPES[message.get(1)![0] as number]!,
    message,
    policy: {
      type: String(policy.get(1)![0]),
      rule: String(policy.get(2)![0]),
      action: policy.get(3)?.[0] as number | undefined,
      match: policy.get(4)![0] as number,
      value: policy.get(5)?.[0] as Buffer,
    },
  };
}

/** Data frames of a file of Frame Streams; a last one that is cut off is left out. */
export function readFrames(octets: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at + 4 <= octets.length; ) {
    const length = octets.readUInt32BE(at);
    if (length === 0) {
      if (at + 8 > octets.length) break;
      at += 8 + octets.readUInt32BE(at + 4);
      continue;
    }
    if (at + 4 + length > octets.length) break;
    frames.push(octets.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return frames;
}
