/**
 * Reads a response policy zone (draft-vixie-dnsop-dns-rpz-00) as a list: its QNAME triggers and what they do.
 *
 *    $ORIGIN rpz.example.
 *    @                SOA  …                  the apex; its records are no rules
 *    bad.example.com  CNAME .                 NXDOMAIN; "*." is NODATA, "rpz-drop." silence
 *    *.example.net    CNAME *.                below example.net, not the name itself
 *    ok.example.net   CNAME rpz-passthru.     the zone says nothing of this name
 *    ad.example.org   A 192.0.2.1             data of its own: denied here, the data is not served
 *
 * A forwarder sees neither addresses of clients behind another resolver nor names of servers, so the other triggers are
 * counted and left out.
 */
import { isAtOrBelow, nameLength, nameText, sameName, typeOf } from '../wire/index.ts';
import { EntryKind } from './layout.ts';
import { byteOrderMarkLength, type ListAction, ListedName, type ReportLine } from './list-reader.ts';
import { nameAt, RecordError, ttlSeconds } from './master-line.ts';

const ROOT = Uint8Array.of(0);
const LF = 10;
const TAB = 9;
const BLANK = 32;
const QUOTE = 34;
const OPEN = 40;
const CLOSE = 41;
const SEMICOLON = 59;
const BACKSLASH = 92;

/** Words of a record that are looked at; an SOA in parentheses has more. */
const WORDS_MAX = 16;

export class ZoneListReader extends ListedName {
  /** Records that are not rules here, by what they are: "rpz-ip", "rpz-tcp-only", "data". */
  readonly unsupported = new Map<string, number>();
  readonly #octets: Uint8Array;
  readonly #isAllow: boolean;
  readonly #report: ReportLine;
  readonly #owner = new ListedName();
  readonly #wordAt = new Uint32Array(WORDS_MAX);
  readonly #wordEnd = new Uint32Array(WORDS_MAX);
  #wordCount = 0;
  #isOwnerOmitted = false;
  #hasOwner = false;
  #at: number;
  #nextLine = 1;
  #origin: Uint8Array = ROOT;
  #apex: Uint8Array = ROOT;
  #hasApex = false;

  constructor(octets: Uint8Array, isAllow: boolean, report: ReportLine) {
    super();
    this.#octets = octets;
    this.#isAllow = isAllow;
    this.#report = report;
    this.#at = byteOrderMarkLength(octets);
  }

  next(): boolean {
    while (this.#readWords()) {
      try {
        if (this.#readRecord()) return true;
      } catch (error) {
        if (!(error instanceof RecordError)) throw error;
        this.#report(this.line, error.message, error.instead);
      }
    }
    return false;
  }

  /** Splits the next record that has words; false at the end. */
  #readWords(): boolean {
    const octets = this.#octets;
    const end = octets.length;
    let at = this.#at;
    let count = 0;
    let depth = 0;
    this.line = this.#nextLine;
    this.#isOwnerOmitted = octets[at] === BLANK || octets[at] === TAB;
    while (at < end) {
      const octet = octets[at];
      if (octet === LF) {
        at++;
        this.#nextLine++;
        if (depth > 0) continue;
        if (count > 0) break;
        this.line = this.#nextLine;
        this.#isOwnerOmitted = octets[at] === BLANK || octets[at] === TAB;
      } else if (octet <= BLANK) {
        at++;
      } else if (octet === SEMICOLON) {
        const lineEnd = octets.indexOf(LF, at);
        at = lineEnd < 0 ? end : lineEnd;
      } else if (octet === OPEN || octet === CLOSE) {
        depth = Math.max(0, depth + (octet === OPEN ? 1 : -1));
        at++;
      } else {
        const wordEnd = this.#skipWord(at);
        if (count < WORDS_MAX) {
          this.#wordAt[count] = at;
          this.#wordEnd[count++] = wordEnd;
        }
        at = wordEnd;
      }
    }
    this.#at = at;
    this.#wordCount = count;
    return count > 0;
  }

  #skipWord(at: number): number {
    const octets = this.#octets;
    let isInQuotes = false;
    for (; at < octets.length; at++) {
      const octet = octets[at];
      if (octet === LF) break;
      if (octet === BACKSLASH && octets[at + 1] !== LF) at++;
      else if (octet === QUOTE) isInQuotes = !isInQuotes;
      else if (!isInQuotes && (octet <= BLANK || octet === SEMICOLON || octet === OPEN || octet === CLOSE))
        break;
    }
    return Math.min(at, octets.length);
  }

  /** Whether the record at hand is a rule; it then stands in the fields of this object. */
  #readRecord(): boolean {
    let word = 0;
    if (this.#octets[this.#wordAt[0]] === 36 && !this.#isOwnerOmitted) {
      this.#readDirective();
      return false;
    }
    if (!this.#isOwnerOmitted) this.#readOwner(word++);
    else if (!this.#hasOwner)
      throw new RecordError('begins with a blank, and no name stands above it', 'the name first');
    word = this.#skipTtlAndClass(word);
    if (word >= this.#wordCount)
      throw new RecordError('has no type', 'name CNAME action: "bad.example.com CNAME ."');
    const owner = this.#owner.name;
    if (this.#isWord(word, 'SOA')) {
      this.#apex = owner.slice(0, this.#owner.length);
      this.#hasApex = true;
      return false;
    }
    if (!this.#hasApex) {
      this.#apex = this.#origin;
      this.#hasApex = true;
    }
    if (sameName(owner, 0, this.#apex, 0)) return false;
    if (!isAtOrBelow(owner, this.#apex)) {
      throw new RecordError(
        `${nameText(owner)} is outside the zone ${nameText(this.#apex)}`,
        'names of this zone',
      );
    }
    return this.#readTrigger() && this.#readAction(word);
  }

  #readDirective(): void {
    const directive = this.#text(0).toUpperCase();
    if (directive === '$TTL') return;
    if (directive !== '$ORIGIN' || this.#wordCount < 2) {
      throw new RecordError(`${directive} is not understood`, '$ORIGIN and $TTL only, each with its value');
    }
    this.#origin = nameAt(this.#text(1), this.#origin);
  }

  #readOwner(word: number): void {
    const from = this.#wordAt[word];
    const to = this.#wordEnd[word];
    this.#hasOwner = true;
    if (!readPlainName(this.#octets, from, to, this.#origin, this.#owner)) {
      this.#hasOwner = false;
      this.#owner.set(nameAt(this.#text(word), this.#origin));
      this.#hasOwner = true;
    }
  }

  #skipTtlAndClass(word: number): number {
    for (; word < this.#wordCount; word++) {
      const first = this.#octets[this.#wordAt[word]];
      const isNumber = first >= 48 && first <= 57;
      if (!(isNumber && ttlSeconds(this.#text(word)) !== null) && !this.#isWord(word, 'IN')) break;
    }
    return word;
  }

  /** Takes the owner without the apex as the name that is meant. */
  #readTrigger(): boolean {
    const { name, length, labelAt, labelCount } = this.#owner;
    const cut = length - this.#apex.length;
    const isWildcard = name[0] === 1 && name[1] === 0x2a;
    const from = isWildcard ? 2 : 0;
    // The last label before the apex names the kind of the other triggers.
    let last = labelCount - 1;
    while (last > 0 && labelAt[last] >= cut) last--;
    if (name[labelAt[last]] > 4 && name[labelAt[last] + 1] === 0x72) {
      const label = nameText(labelOf(name, labelAt[last]));
      if (label.startsWith('rpz-')) return this.#skip(label);
    }
    for (let i = from; i < cut; i++) this.name[i - from] = name[i];
    this.name[cut - from] = 0;
    this.length = cut - from + 1;
    let labels = 0;
    for (let at = 0; at < this.length - 1; at += this.name[at] + 1) this.labelAt[labels++] = at;
    this.labelCount = labels;
    this.kind = isWildcard ? EntryKind.BELOW : EntryKind.EXACT;
    return true;
  }

  #readAction(word: number): boolean {
    const action = this.#actionOf(word);
    if (action === 'rpz-tcp-only' || (action === 'data' && this.#isAllow)) return this.#skip(action);
    if (action === 'data') this.#skip(action);
    this.action = action === 'data' ? 'listed' : action;
    if (this.labelCount === 0 && this.action !== 'passthru') {
      this.#report(
        this.line,
        'denies every name, which is the rule here for what nothing allows',
        'nothing; leave the record out',
      );
      return false;
    }
    if (this.labelCount === 0 && this.#isAllow) {
      throw new RecordError('allows every name', 'the names that are meant');
    }
    return true;
  }

  #actionOf(word: number): ListAction | 'data' | 'rpz-tcp-only' {
    if (!this.#isWord(word, 'CNAME')) {
      if (typeOf(this.#text(word)) !== undefined) return 'data';
      throw new RecordError(`"${this.#text(word)}" is not a type`, '"CNAME ." to deny');
    }
    if (word + 1 >= this.#wordCount)
      throw new RecordError('is a CNAME without a target', '"CNAME ." to deny');
    const at = this.#wordAt[word + 1];
    const length = this.#wordEnd[word + 1] - at;
    if (length === 1 && this.#octets[at] === 0x2e) return 'nxdomain';
    const target = this.#text(word + 1).toLowerCase();
    if (target === '*.') return 'nodata';
    if (target === 'rpz-passthru.') return 'passthru';
    if (target === 'rpz-drop.') return 'drop';
    if (target === 'rpz-tcp-only.') return 'rpz-tcp-only';
    // The first drafts let a name pass by an alias to itself.
    const isItself = target.endsWith('.') && sameName(nameAt(target, ROOT), 0, this.name, 0);
    return isItself && this.kind === EntryKind.EXACT ? 'passthru' : 'data';
  }

  #skip(what: string): false {
    this.unsupported.set(what, (this.unsupported.get(what) ?? 0) + 1);
    return false;
  }

  /** Whether a word is this one, in capitals or not. */
  #isWord(word: number, text: string): boolean {
    const at = this.#wordAt[word];
    if (this.#wordEnd[word] - at !== text.length) return false;
    for (let i = 0; i < text.length; i++)
      if ((this.#octets[at + i] & 0xdf) !== text.charCodeAt(i)) return false;
    return true;
  }

  #text(word: number): string {
    return TEXT.decode(this.#octets.subarray(this.#wordAt[word], this.#wordEnd[word]));
  }
}

const TEXT = new TextDecoder();

/** Letters, digits, hyphen, underscore and the star, lower-cased; 0 for octets that need a closer look. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, octet) => {
  if (octet >= 65 && octet <= 90) return octet + 32;
  const isPlain =
    (octet >= 97 && octet <= 122) ||
    (octet >= 48 && octet <= 57) ||
    octet === 45 ||
    octet === 95 ||
    octet === 0x2a;
  return isPlain ? octet : 0;
});

/** Reads a name without escapes; false when it has any, or is at fault, and must be read with more care. */
function readPlainName(
  octets: Uint8Array,
  from: number,
  to: number,
  origin: Uint8Array,
  into: ListedName,
): boolean {
  const isAbsolute = octets[to - 1] === 0x2e;
  const end = isAbsolute ? to - 1 : to;
  const { name, labelAt } = into;
  if (end - from + 2 + (isAbsolute ? 0 : origin.length) > 255 || from === end) return false;
  let labels = 0;
  let open = 0;
  let length = 1;
  for (let at = from; at <= end; at++) {
    if (at < end && octets[at] !== 0x2e) {
      const octet = PLAIN[octets[at]];
      if (octet === 0) return false;
      name[length++] = octet;
      continue;
    }
    const labelLength = length - open - 1;
    if (labelLength === 0 || labelLength > 63) return false;
    name[open] = labelLength;
    labelAt[labels++] = open;
    open = length++;
  }
  const tail = isAbsolute ? ROOT : origin;
  for (let i = 0; i < tail.length; i++) name[open + i] = tail[i];
  for (let at = 0; tail[at] !== 0; at += tail[at] + 1) labelAt[labels++] = open + at;
  into.length = open + nameLength(tail);
  into.labelCount = labels;
  return true;
}

/** A label as a name of its own. */
function labelOf(name: Uint8Array, at: number): Uint8Array {
  const label = new Uint8Array(name[at] + 2);
  for (let i = 0; i <= name[at]; i++) label[i] = name[at + i];
  return label;
}
