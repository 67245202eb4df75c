/**
 * Reads the audit as a stranger would: every NDJSON line of a directory, with no code of Sallyport's. A line is an entry
 * of a query when it has a `qname`; other lines (openings, checkpoints, recoveries) belong to the chain.
 */
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DIGITS, KINDS, type Kind } from '../load/names.ts';

export interface AuditCount {
  /** Entries of queries. */
  entries: number;
  /** Lines that are not whole JSON: none but perhaps the last of a segment after a crash. */
  broken: number;
  /** Numbers of each kind that have an entry, as bits; entries of names that are asked more than once count once. */
  readonly seen: Readonly<Record<Kind, Bits>>;
}

/** A set of numbers that grows. */
export class Bits {
  #octets: Uint8Array;

  constructor(octets: Uint8Array = new Uint8Array(1 << 16)) {
    this.#octets = octets;
  }

  add(number: number): void {
    const place = number >>> 3;
    if (place >= this.#octets.length) {
      const larger = new Uint8Array(place * 2);
      larger.set(this.#octets);
      this.#octets = larger;
    }
    this.#octets[place]! |= 1 << (number & 7);
  }

  get count(): number {
    let count = 0;
    for (const octet of this.#octets) for (let rest = octet; rest > 0; rest &= rest - 1) count++;
    return count;
  }

  /** How many numbers are here and not in the other. */
  without(other: Bits): number {
    let count = 0;
    for (const [place, octet] of this.#octets.entries()) {
      for (let rest = octet & ~(other.#octets[place] ?? 0); rest > 0; rest &= rest - 1) count++;
    }
    return count;
  }
}

const kinds = Object.keys(KINDS) as Kind[];
const NAME = new RegExp(
  `"qname":"([${kinds.map((kind) => KINDS[kind].letter).join('')}])([0-9a-f]{${DIGITS}})\\.(${kinds
    .map((kind) => KINDS[kind].suffix.replaceAll('.', '\\.'))
    .join('|')})\\.?"`,
);
const kindOfLetter = new Map<string, Kind>(kinds.map((kind) => [KINDS[kind].letter, kind]));

export async function countAudit(directory: string): Promise<AuditCount> {
  const count: AuditCount = {
    entries: 0,
    broken: 0,
    seen: { hit: new Bits(), miss: new Bits(), deny: new Bits(), stranger: new Bits() },
  };
  for (const file of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ndjson')) continue;
    const lines = createInterface({
      input: createReadStream(join(directory, file)),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const line of lines) addLine(count, line);
  }
  return count;
}

function addLine(count: AuditCount, line: string): void {
  if (!line.startsWith('{') || !line.endsWith('}')) {
    if (line !== '') count.broken++;
    return;
  }
  if (!line.includes('"qname":')) return;
  count.entries++;
  const name = NAME.exec(line);
  if (name === null) return;
  const kind = kindOfLetter.get(name[1]!)!;
  count.seen[kind].add(Number.parseInt(name[2]!, 16));
}
