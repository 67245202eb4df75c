/** As much of DNS messages as a drill needs: a query out, and of a response its id, rcode, flags, TTL and extended errors. */

export const RCODE = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;
export const TYPE = { A: 1, TXT: 16 } as const;

function nameOctets(name: string): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  return Buffer.concat([...labels, Buffer.from([0])]);
}

/** RD set, EDNS with 1232 octets. */
export function queryOctets(id: number, name: string, type: number = TYPE.A): Buffer {
  const head = Buffer.from([id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
  const tail = Buffer.from([type >> 8, type & 0xff, 0, 1, 0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, nameOctets(name), tail]);
}

export interface Reply {
  readonly id: number;
  readonly rcode: number;
  readonly truncated: boolean;
  readonly answers: number;
  /** TTL of the first answer, −1 without one. */
  readonly ttl: number;
  readonly extendedErrors: readonly number[];
}

/** Throws on what is no response. */
export function readReply(octets: Buffer): Reply {
  if ((octets[2]! & 0x80) === 0) throw new Error('a message came that is no response');
  const answers = octets.readUInt16BE(6);
  const records = answers + octets.readUInt16BE(8) + octets.readUInt16BE(10);
  const extendedErrors: number[] = [];
  let ttl = -1;
  let at = 12;
  for (let i = octets.readUInt16BE(4); i > 0; i--) at = skipName(octets, at) + 4;
  for (let i = 0; i < records; i++) {
    at = skipName(octets, at);
    const end = at + 10 + octets.readUInt16BE(at + 8);
    if (i === 0 && answers > 0) ttl = octets.readInt32BE(at + 4);
    if (octets.readUInt16BE(at) === 41) readOptions(octets, at + 10, end, extendedErrors);
    at = end;
  }
  const { 0: high, 1: low } = octets;
  return {
    id: (high! << 8) | low!,
    rcode: octets[3]! & 15,
    truncated: (octets[2]! & 2) !== 0,
    answers,
    ttl,
    extendedErrors,
  };
}

function readOptions(octets: Buffer, at: number, end: number, extendedErrors: number[]): void {
  while (at + 4 <= end) {
    if (octets.readUInt16BE(at) === 15) extendedErrors.push(octets.readUInt16BE(at + 4));
    at += 4 + octets.readUInt16BE(at + 2);
  }
}

/** Position behind the name at `at`. */
export function skipName(octets: Buffer, at: number): number {
  while (octets[at] !== 0) {
    if (octets[at]! >= 0xc0) return at + 2;
    at += octets[at]! + 1;
  }
  return at + 1;
}

/** The name asked for, in lower case. */
export function askedName(octets: Buffer): string {
  const labels: string[] = [];
  for (let at = 12; octets[at] !== 0; at += octets[at]! + 1) {
    labels.push(octets.toString('latin1', at + 1, at + 1 + octets[at]!));
  }
  return labels.join('.').toLowerCase();
}
