/**
 * Where a name is cut: the zone that is held to account for it, and what is known of that zone before any query.
 *
 * One hash table answers for the public suffixes, the known services and the popular domains; it is looked up once for
 * each label, with the suffix hashes a question carries anyway, and every hit is compared octet by octet.
 *
 *    value   public-suffix flags (6 bits) | popular (1) | on the way to a service (1) | service index + 1 (from bit 8)
 */
import { nameOctets, type Question } from '../wire/index.ts';
import { popularDomains } from './ngrams.ts';
import { REVERSE_CUTS, SERVICES, type Service } from './profiles/services.ts';
import { compileShapes, type Shapes } from './profiles/shapes.ts';
import {
  EXCEPTION,
  eachPublicSuffix,
  ICANN,
  PRIVATE,
  WILDCARD_ICANN,
  WILDCARD_PRIVATE,
} from './public-suffix.ts';
import { SuffixTable } from './suffix-table.ts';

const POPULAR = 64;
/** Below this name there are services. */
const ON_THE_WAY = 128;
const NEWLINE = 0x0a;
/** About as many names as the lists hold; the table grows by itself. */
const NAMES = 20_000;

export interface CompiledService {
  readonly service: Service;
  readonly shapes: Shapes;
  /** Labels kept above the zone when it is cut; 0 for all but reverse zones. */
  readonly extraLabels: number;
}

/** Reads questions one after the other; its fields describe the last one. */
export class Zones {
  /** Labels of the name. */
  labels = 0;
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
    const table = new SuffixTable(seed, NAMES);
    eachPublicSuffix((name, at, flags) => table.add(name, at, flags));
    const popular = popularDomains();
    for (let from = 0; from < popular.length; ) {
      const end = popular.indexOf(NEWLINE, from);
      const to = end === -1 ? popular.length : end;
      table.addText(popular, from, to, POPULAR);
      from = to + 1;
    }
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
      const name = nameOctets(zone);
      table.add(name, 0, compiled.length << 8);
      for (let at = name[0] + 1; name[at] !== 0; at += name[at] + 1) table.add(name, at, ON_THE_WAY);
    }
    this.#services = compiled;
    this.#table = table;
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
    let isNoTopLevel = false;
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
      if (value === 0 && depth === 1) isNoTopLevel = hasLetterAndDigit(question, label);
      if ((value & POPULAR) !== 0) popularLabels = depth;
      if (value >= 256) {
        serviceIndex = value >> 8;
        serviceLabels = depth;
      }
      // Every suffix of what stands in the table stands there too.
      if (value === 0) break;
    }
    // No top-level domain has a digit, but for A-labels, all of which the list has. Such a name is told to the root.
    if (isNoTopLevel) suffix = -1;
    this.labels = labels;
    this.suffixLabels = Math.max(0, suffix);
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

function hasLetterAndDigit({ name, labelAt }: Question, label: number): boolean {
  const at = labelAt[label];
  let letters = 0;
  let digits = 0;
  for (let i = at + 1; i <= at + name[at]; i++) {
    if (name[i] >= 48 && name[i] <= 57) digits++;
    else if (name[i] >= 97 && name[i] <= 122) letters++;
    else if (name[i] === 45) return false;
  }
  return letters > 0 && digits > 0;
}
