/**
 * Answers from a zone that Sallyport serves itself (RFC 1034 section 4.3.2, wildcards RFC 4592). Local zones have no
 * delegations: every name at or below the apex is theirs. Local answers are rare next to forwarded ones, so here
 * names are keys of a map and plain objects are made.
 */
import { isAtOrBelow, nameLength, type Question, Rrtype, sameName, u16 } from '../wire/index.ts';
import type { LocalAnswer, LocalRrset } from './contract.ts';

/** Aliases followed within the zone; a longer chain ends where it is, which also ends loops. */
const ALIAS_COUNT_MAX = 8;

export class LocalZone {
  readonly #apex: Uint8Array;
  /** By owner; a node without RRsets is an empty non-terminal, there because something is below it. */
  readonly #nodes = new Map<string, LocalRrset[]>();
  readonly #soa: readonly LocalRrset[];

  constructor(apex: Uint8Array, rrsets: readonly LocalRrset[]) {
    this.#apex = apex;
    this.#nodes.set(keyOf(apex, 0), []);
    for (const rrset of rrsets) {
      for (let at = 0; isBelow(rrset.owner, at, apex); at += rrset.owner[at] + 1) {
        const key = keyOf(rrset.owner, at);
        if (!this.#nodes.has(key)) this.#nodes.set(key, []);
      }
      this.#nodes.get(keyOf(rrset.owner, 0))?.push(rrset);
    }
    this.#soa = rrsets
      .filter((rrset) => rrset.type === Rrtype.SOA && sameName(rrset.owner, 0, apex, 0))
      .map(negativeSoa);
  }

  answer(question: Question): LocalAnswer {
    const answers: LocalRrset[] = [];
    let name = question.name.slice(0, question.length);
    // Nobody asks a zone about names of others; if it happens, nothing is said about them.
    if (!isAtOrBelow(name, this.#apex)) return { ...EMPTY, rcode: 'NXDOMAIN' };
    for (let aliases = 0; ; aliases++) {
      const node = this.#find(name);
      if (node === null) return { ...EMPTY, rcode: 'NXDOMAIN', answers, authority: this.#soa };
      const matching = pick(node, question.type);
      if (matching !== null) {
        answers.push({ ...matching, owner: name });
        return { ...EMPTY, answers };
      }
      const alias = node.find((rrset) => rrset.type === Rrtype.CNAME);
      if (alias === undefined) return { ...EMPTY, answers, authority: this.#soa };
      answers.push({ ...alias, owner: name });
      const target = alias.rdata[0];
      if (!isAtOrBelow(target, this.#apex)) return { ...EMPTY, answers, leadsTo: target };
      if (aliases === ALIAS_COUNT_MAX || answers.some((rrset) => sameName(rrset.owner, 0, target, 0))) {
        return { ...EMPTY, answers };
      }
      name = target.slice();
    }
  }

  /** The RRsets of a name, made up from a wildcard where one covers it; null when the name does not exist. */
  #find(name: Uint8Array): readonly LocalRrset[] | null {
    const node = this.#nodes.get(keyOf(name, 0));
    if (node !== undefined) return node;
    // The closest encloser is the nearest name above that exists; only its own wildcard counts (RFC 4592 section 3.3.1).
    let at = name[0] + 1;
    while (!this.#nodes.has(keyOf(name, at))) at += name[at] + 1;
    return this.#nodes.get(`${ASTERISK_LABEL}${keyOf(name, at)}`) ?? null;
  }
}

const EMPTY: LocalAnswer = { rcode: 'NOERROR', answers: [], authority: [], leadsTo: null };

const ASTERISK_LABEL = '\u0001*';

/** ANY is answered with one RRset of the node (RFC 8482 section 4.1). */
const pick = (node: readonly LocalRrset[], type: number): LocalRrset | null =>
  (type === Rrtype.ANY ? node[0] : node.find((rrset) => rrset.type === type)) ?? null;

/** A negative answer is kept for the smaller of the SOA's TTL and its MINIMUM (RFC 2308 section 5). */
function negativeSoa(soa: LocalRrset): LocalRrset {
  const rdata = soa.rdata[0];
  const minimumAt = rdata.length - 4;
  const minimum = u16(rdata, minimumAt) * 0x1_0000 + u16(rdata, minimumAt + 2);
  return { ...soa, ttlSeconds: Math.min(soa.ttlSeconds, minimum) };
}

/** Octets as a string of as many characters; a key, not for people. */
function keyOf(name: Uint8Array, at: number): string {
  let key = '';
  for (const end = at + nameLength(name, at); at < end; at++) key += String.fromCharCode(name[at]);
  return key;
}

const isBelow = (name: Uint8Array, at: number, apex: Uint8Array): boolean =>
  nameLength(name, at) > apex.length;
