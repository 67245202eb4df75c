/**
 * Where a name is cut: the zone that is held to account for it, and what is known of that zone before any query.
 *
 * One hash table answers for the public suffixes, the known services and the popular domains; it is looked up once for
 * each label, with the suffix hashes a question carries anyway, and every hit is compared octet by octet.
 *
 *    value   public-suffix flags (6 bits) | popular (1) | service index + 1 (from bit 8)
 */
import { hashLabel, nameOctets, type Question, sameName } from '../wire/index.ts';
import { popularDomains } from './ngrams.ts';
import { REVERSE_CUTS, SERVICES, type Service } from './profiles/services.ts';
import { compileShapes, type Shapes } from './profiles/shapes.ts';
import {
  EXCEPTION,
  ICANN,
  PRIVATE,
  publicSuffixRules,
  WILDCARD_ICANN,
  WILDCARD_PRIVATE,
} from './public-suffix.ts';

const POPULAR = 64;

export interface CompiledService {
  readonly service: Service;
  readonly shapes: Shapes;
  /** Labels kept above the zone when it is cut; 0 for all but reverse zones. */
  readonly extraLabels: number;
}

/** Reads questions one after the other; its fields describe the last one. */
export class Zones {
  /** Labels of the public suffix. */
  suffixLabels = 0;
  /** Strangers share what lies above the suffix. */
  isShared = false;
  /** Labels of the zone held to account; all of the name when the name is a public suffix itself. */
  zoneLabels = 0;
  isPopular = false;
  /** The most specific service whose zone the name is in and whose shapes it has, or null. */
  service: CompiledService | null = null;
  readonly #table: SuffixTable;
  readonly #services: readonly CompiledService[];

  /** `seed`: that of the questions which will be read. */
  constructor(seed: number, services: readonly Service[] = SERVICES) {
    const values = new Map<string, { name: Uint8Array; value: number }>();
    const add = (name: Uint8Array, value: number): void => {
      const key = Buffer.from(name).toString('latin1');
      const known = values.get(key);
      if (known === undefined) values.set(key, { name, value });
      else known.value |= value;
    };
    for (const rule of publicSuffixRules()) add(rule.suffix, rule.flags);
    for (const name of popularDomains()) add(nameOctets(name), POPULAR);
    const compiled: CompiledService[] = [];
    const byZone = new Map<string, Service[]>();
    for (const service of services) byZone.set(service.zone, [...(byZone.get(service.zone) ?? []), service]);
    for (const [zone, lines] of byZone) {
      const extraLabels = REVERSE_CUTS.find((cut) => cut.zone === zone)?.labels ?? 0;
      compiled.push({
        service: lines[0],
        shapes: compileShapes(lines.flatMap((line) => line.shapes)),
        extraLabels,
      });
      add(nameOctets(zone), compiled.length << 8);
    }
    this.#services = compiled;
    this.#table = new SuffixTable(seed, [...values.values()]);
  }

  /** What is known of a name with this hash. */
  standingOf(hash: number): 'popular' | 'suffix' | 'none' {
    const value = this.#table.valueOf(hash);
    return (value & POPULAR) !== 0 ? 'popular' : (value & ICANN) !== 0 ? 'suffix' : 'none';
  }

  read(question: Question): void {
    const labels = question.labelCount;
    let suffix = labels === 0 ? 0 : 1;
    let shared = false;
    let wildcard = 0;
    let listEnded = false;
    let serviceIndex = 0;
    let serviceLabels = 0;
    let popularLabels = 0;
    for (let label = labels - 1; label >= 0; label--) {
      const depth = labels - label;
      const value = this.#table.find(question, label);
      if (!listEnded) {
        if ((value & EXCEPTION) !== 0) {
          suffix = depth - 1;
          listEnded = true;
        } else {
          if (wildcard !== 0) {
            suffix = depth;
            shared = wildcard === WILDCARD_PRIVATE;
          }
          if ((value & (ICANN | PRIVATE)) !== 0) {
            suffix = depth;
            shared = (value & PRIVATE) !== 0;
          }
          wildcard = value & (WILDCARD_ICANN | WILDCARD_PRIVATE);
          if ((value & 63) === 0) listEnded = true;
        }
      }
      if ((value & POPULAR) !== 0) popularLabels = depth;
      if (value >= 256) {
        serviceIndex = value >> 8;
        serviceLabels = depth;
      }
      // Nothing in the table is deeper than five labels but reverse zones, which are cut by their own rule.
      if (depth >= 6) break;
    }
    this.suffixLabels = suffix;
    this.isShared = shared;
    this.zoneLabels = Math.min(labels, suffix + 1);
    this.isPopular = popularLabels > 0 && popularLabels === this.zoneLabels && !shared;
    this.service = null;
    if (serviceIndex !== 0) {
      const service = this.#services[serviceIndex - 1];
      // A shared suffix below the service's zone belongs to its tenants, not to the service.
      if (!(shared && suffix > serviceLabels) && service.shapes.match(question, labels - serviceLabels)) {
        this.service = service;
        const cut =
          service.extraLabels > 0 ? serviceLabels + service.extraLabels : Math.max(serviceLabels, suffix + 1);
        this.zoneLabels = Math.min(labels, cut);
      }
    }
  }
}

class SuffixTable {
  readonly #mask: number;
  readonly #hashes: Int32Array;
  readonly #values: Int32Array;
  readonly #at: Int32Array;
  readonly #octets: Uint8Array;

  constructor(seed: number, entries: readonly { readonly name: Uint8Array; readonly value: number }[]) {
    let size = 1024;
    while (size < entries.length * 3) size *= 2;
    this.#mask = size - 1;
    this.#hashes = new Int32Array(size);
    this.#values = new Int32Array(size);
    this.#at = new Int32Array(size);
    this.#octets = new Uint8Array(entries.reduce((sum, entry) => sum + entry.name.length, 0));
    let at = 0;
    for (const { name, value } of entries) {
      const hash = hashOf(name, seed);
      let slot = (hash ^ (hash >>> 15)) & this.#mask;
      while (this.#values[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#hashes[slot] = hash;
      this.#values[slot] = value;
      this.#at[slot] = at;
      this.#octets.set(name, at);
      at += name.length;
    }
  }

  /** The value of a name by its hash alone: right but for one in four billion, and nobody outside knows the seed. */
  valueOf(hash: number): number {
    let slot = (hash ^ (hash >>> 15)) & this.#mask;
    for (; this.#values[slot] !== 0; slot = (slot + 1) & this.#mask)
      if (this.#hashes[slot] === hash) return this.#values[slot];
    return 0;
  }

  /** The value of the suffix that begins at `label`, or 0. */
  find(question: Question, label: number): number {
    const hash = question.suffixHash[label];
    let slot = (hash ^ (hash >>> 15)) & this.#mask;
    for (; this.#values[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#hashes[slot] !== hash) continue;
      if (sameName(this.#octets, this.#at[slot], question.name, question.labelAt[label]))
        return this.#values[slot];
    }
    return 0;
  }
}

/** Hash of a canonical name, as a question with this seed has it. */
function hashOf(name: Uint8Array, seed: number): number {
  const starts: number[] = [];
  for (let at = 0; name[at] !== 0; at += name[at] + 1) starts.push(at);
  let hash = seed | 0;
  for (let i = starts.length - 1; i >= 0; i--) hash = hashLabel(hash, name, starts[i]);
  return hash;
}
