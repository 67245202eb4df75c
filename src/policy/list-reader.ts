/**
 * Reads list files of one name a line and of the kind of /etc/hosts, in octets: a million names must not become a
 * million strings. A reader is asked for one name after the other and hands each out in the same place.
 *
 *    names   ads.example.com            hosts   0.0.0.0 ads.example.com track.example.com   # why
 *            *.track.example.com  # why
 *
 * A line that cannot be read is reported and left out, the lines behind it are read.
 */
import { domainToASCII } from 'node:url';
import { hashLabel, NAME_LENGTH_MAX, NameError, nameOctets } from '../wire/index.ts';
import { EntryKind } from './layout.ts';
import { printable } from './printable.ts';

export type ReportLine = (line: number, problem: string, instead: string) => void;

/** What a record of a response policy zone does; the other formats always give `listed`. */
export type ListAction = 'listed' | 'passthru' | 'nxdomain' | 'nodata' | 'drop';

/** A name as a reader hands it out: valid until the next call of `next`. */
export class ListedName {
  /** Canonical name. Longer than a name may be, so that one too long is noticed only at its end. */
  readonly name = new Uint8Array(NAME_LENGTH_MAX + 1);
  length = 0;
  readonly labelAt = new Uint8Array(256);
  labelCount = 0;
  /** Hash of the suffix that begins at each label; at `labelCount` that of the root. */
  readonly suffixHash = new Int32Array(256);
  kind: EntryKind = EntryKind.EXACT;
  action: ListAction = 'listed';
  /** Line it stands on, from 1. */
  line = 0;

  /** Takes a canonical name. */
  set(name: Uint8Array, at = 0): void {
    let length = 0;
    let labels = 0;
    for (; name[at + length] !== 0; length += name[at + length] + 1) this.labelAt[labels++] = length;
    for (let i = 0; i <= length; i++) this.name[i] = name[at + i];
    this.length = length + 1;
    this.labelCount = labels;
  }

  hashSuffixes(seed: number, hash: typeof hashLabel = hashLabel): void {
    let value = seed | 0;
    this.labelAt[this.labelCount] = this.length - 1;
    this.suffixHash[this.labelCount] = value;
    for (let label = this.labelCount - 1; label >= 0; label--) {
      value = hash(value, this.name, this.labelAt[label]);
      this.suffixHash[label] = value;
    }
  }
}

const LF = 10;
const HASH = 35;
const STAR = 42;
const PLUS = 43;
const DOT = 46;

/** What an octet means inside a name: 0 needs a closer look, 1 ends it, 2 ends a label, else the lower-case octet. */
const FOLD = Uint8Array.from({ length: 256 }, (_, octet) => {
  if (octet <= 32 || octet === HASH) return octet === 0 ? 0 : 1;
  if (octet === DOT) return 2;
  if (octet >= 65 && octet <= 90) return octet + 32;
  const isPlain =
    (octet >= 97 && octet <= 122) || (octet >= 48 && octet <= 57) || octet === 45 || octet === 95;
  return isPlain ? octet : 0;
});

/** Names that hosts files carry for the machine they lie on; no rule is meant by them. */
const HOSTS_FURNITURE = new Set([
  'localhost',
  'localhost.localdomain',
  'localhost4',
  'localhost4.localdomain4',
  'localhost6',
  'localhost6.localdomain6',
  'local',
  'broadcasthost',
  'ip6-localhost',
  'ip6-loopback',
  'ip6-localnet',
  'ip6-mcastprefix',
  'ip6-allnodes',
  'ip6-allrouters',
  'ip6-allhosts',
  '0.0.0.0',
]);

export class LineReader extends ListedName {
  readonly #octets: Uint8Array;
  readonly #isHosts: boolean;
  readonly #bareKind: EntryKind;
  readonly #report: ReportLine;
  #at: number;
  /** In a hosts file: names of the current line are still to come. */
  #inLine = false;

  constructor(
    octets: Uint8Array,
    format: 'names' | 'hosts',
    match: 'as-written' | 'exact' | 'both',
    report: ReportLine,
  ) {
    super();
    this.#octets = octets;
    this.#isHosts = format === 'hosts';
    this.#bareKind = match === 'both' ? EntryKind.BOTH : EntryKind.EXACT;
    this.#report = report;
    this.#at = byteOrderMarkLength(octets);
  }

  /** Moves to the next name; false when there is none. */
  next(): boolean {
    for (;;) {
      if (!this.#toWord()) return false;
      if (this.#isHosts ? this.#readHosts() : this.#readName()) return true;
    }
  }

  /** Skips to the first octet of the next word, comments left out; counts lines on the way. */
  #toWord(): boolean {
    const octets = this.#octets;
    if (this.line === 0) this.line = 1;
    for (; this.#at < octets.length; this.#at++) {
      const octet = octets[this.#at];
      if (octet === LF) {
        this.line++;
        this.#inLine = false;
      } else if (octet === HASH) {
        this.#skipLine();
        this.#at--;
      } else if (octet > 32) {
        return true;
      }
    }
    return false;
  }

  /** Moves to the line feed that ends this line, or to the end. */
  #skipLine(): void {
    const end = this.#octets.indexOf(LF, this.#at);
    this.#at = end < 0 ? this.#octets.length : end;
  }

  #readName(): boolean {
    const octets = this.#octets;
    const start = this.#at;
    this.kind = this.#bareKind;
    if (octets[start + 1] === DOT && (octets[start] === STAR || octets[start] === PLUS)) {
      this.kind = octets[start] === STAR ? EntryKind.BELOW : EntryKind.BOTH;
      this.#at += 2;
    }
    const isRead = this.#readWord(start);
    if (isRead && this.#hasMore()) {
      this.#fault(
        'has more than one word',
        'one name a line; for lines like "0.0.0.0 name" set format: hosts',
      );
      return false;
    }
    if (!isRead) this.#skipLine();
    return isRead;
  }

  #readHosts(): boolean {
    if (!this.#inLine) {
      const end = this.#wordEnd(this.#at);
      const word = this.#text(this.#at, end);
      if (!/^(\d{1,3}\.){3}\d{1,3}$|^[0-9a-f:.%a-z]*:[0-9a-f:.%a-z]*$/i.test(word)) {
        this.#fault(
          `begins with "${shorten(word)}", which is no address`,
          `"0.0.0.0 ${shorten(word)}", or set format: names`,
        );
        return false;
      }
      this.#at = end;
      this.#inLine = true;
      if (!this.#hasMore())
        this.#report(this.line, 'has an address and no name', 'an address and then names');
      return false;
    }
    const start = this.#at;
    const end = this.#wordEnd(start);
    // The furniture is short; looking at longer words would make a string of each of a million names.
    if (
      end - start <= 23 &&
      HOSTS_FURNITURE_LENGTHS.has(end - start) &&
      HOSTS_FURNITURE.has(this.#text(start, end))
    ) {
      this.#at = end;
      return false;
    }
    this.kind = this.#bareKind;
    const isRead = this.#readWord(start);
    if (!isRead) this.#at = end;
    return isRead;
  }

  /** Reads the word at the current place as a name. `start`: where what was written begins, for the report. */
  #readWord(start: number): boolean {
    const { name, labelAt } = this;
    const octets = this.#octets;
    let at = this.#at;
    let to = 1;
    let open = 0;
    let labels = 0;
    for (; at < octets.length; at++) {
      const octet = FOLD[octets[at]];
      if (octet > 2) {
        name[to++] = octet;
      } else if (octet === 2) {
        const length = to - open - 1;
        if (length === 0 || length > 63 || to > NAME_LENGTH_MAX) return this.#readOdd(start);
        name[open] = length;
        labelAt[labels++] = open;
        open = to++;
      } else {
        if (octet === 0) return this.#readOdd(start);
        break;
      }
    }
    const length = to - open - 1;
    if (length > 0) {
      if (length > 63) return this.#readOdd(start);
      name[open] = length;
      labelAt[labels++] = open;
      open = to;
    }
    // Addresses are the usual slip in lists of names; no top-level domain ends in a digit unless it is an A-label.
    const last = octets[at - 1];
    const mayBeAddress = last >= 48 && last <= 57;
    if (labels === 0 || open + 1 > NAME_LENGTH_MAX || (mayBeAddress && isNumber(name, labelAt[labels - 1]))) {
      return this.#readOdd(start);
    }
    name[open] = 0;
    this.length = open + 1;
    this.labelCount = labels;
    this.#at = at;
    return true;
  }

  /** A word with something out of the ordinary: escapes, other scripts, or a fault to be explained. */
  #readOdd(start: number): boolean {
    const end = this.#wordEnd(this.#at);
    const text = this.#text(this.#at, end);
    const written = shorten(this.#text(start, end));
    const fault = (problem: string, instead: string): false => {
      this.#report(this.line, `"${written}" ${problem}`, instead);
      return false;
    };
    const bare = text.replace(/^(\*|\+|\.|\|\||@@)+/, '').replace(/[\^$/|:].*$/, '');
    if (text === '*' || text === '.')
      return fault('names everything', 'the names that are meant; a list cannot allow or deny all');
    if (text.includes('*'))
      return fault(
        'has a star inside',
        '"*.example.com" for everything below a name; a star stands for whole labels at the front only',
      );
    if (text.startsWith('.'))
      return fault('begins with a dot', `"*${text}" for everything below, "+${text}" for the name as well`);
    if (/[|^$@]/.test(text))
      return fault(
        'is a filter of a browser extension',
        `the name alone, e.g. "${bare || 'example.com'}" or "+.${bare || 'example.com'}"`,
      );
    if (/[/:]/.test(text))
      return fault('is an address or a URL', `a host name alone, e.g. "${bareHost(text)}"`);
    if (/^[\d.]+$/.test(text))
      return fault('is an address or a number, not a name', 'names only; leave addresses out');
    try {
      const plain = isAscii(text) ? text : domainToASCII(text);
      if (plain === '')
        return fault(
          'is not a valid internationalised name',
          'the A-label form, e.g. "xn--bcher-kva.example"',
        );
      this.set(nameOctets(plain));
      this.#at = end;
      return true;
    } catch (error) {
      if (error instanceof NameError)
        return fault(`cannot be read: ${error.message}`, 'a name like "ads.example.com"');
      throw error;
    }
  }

  /** Whether there is another word on this line. Moves to it. */
  #hasMore(): boolean {
    const octets = this.#octets;
    while (this.#at < octets.length && octets[this.#at] <= 32 && octets[this.#at] !== LF) this.#at++;
    return this.#at < octets.length && octets[this.#at] !== LF && octets[this.#at] !== HASH;
  }

  #wordEnd(at: number): number {
    const octets = this.#octets;
    while (at < octets.length && octets[at] > 32 && octets[at] !== HASH) at++;
    return at;
  }

  #text(from: number, to: number): string {
    return TEXT.decode(this.#octets.subarray(from, to));
  }

  /** Reports the line as a whole and leaves it. */
  #fault(problem: string, instead: string): void {
    this.#report(this.line, problem, instead);
    this.#skipLine();
  }
}

const TEXT = new TextDecoder();

const HOSTS_FURNITURE_LENGTHS = new Set([...HOSTS_FURNITURE].map((name) => name.length));

const isAscii = (text: string): boolean => /^[\x21-\x7e]*$/.test(text);

const bareHost = (text: string): string => /^(?:[a-z]+:\/\/)?([^/:@]+)/i.exec(text)?.[1] ?? 'example.com';

const shorten = (text: string): string => printable(text, 60);

export const byteOrderMarkLength = (octets: Uint8Array): number =>
  octets[0] === 0xef && octets[1] === 0xbb && octets[2] === 0xbf ? 3 : 0;

function isNumber(name: Uint8Array, at: number): boolean {
  for (let i = 1; i <= name[at]; i++) if (name[at + i] < 48 || name[at + i] > 57) return false;
  return true;
}
