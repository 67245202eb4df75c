/**
 * Secrets in names, as a data thread meets them: found, counted, told to the log, and kept out of everything that is
 * written. The log and the audit get kinds and marks; the values go nowhere.
 */
import { getDomain } from 'tldts';
import { type ClientPrivacy, ClientTexts, renderRedaction } from './audit/index.ts';
import { findSecrets, findSecretsInText, type Secret, type SecretKind } from './detect/index.ts';
import { At, type Counters } from './metrics/index.ts';
import { type Finding, NO_SECRETS, type SecretWatch } from './query/index.ts';
import { markOf } from './redaction-key.ts';
import { lowerOctet, nameText, Rrtype } from './wire/index.ts';

/** The watch, and how the detector writes names into its evidence. */
export interface NameWatch extends SecretWatch {
  readonly nameText: (name: Uint8Array, at?: number) => string;
}

export interface WatchOptions {
  /** Findings are counted and told to the log. */
  readonly tells: boolean;
  /** Marks stand for what was found wherever it would be written. */
  readonly redacts: boolean;
  readonly key: Uint8Array;
  /** What of client addresses is written. */
  readonly clients: ClientPrivacy;
  readonly counters: Counters;
  readonly log: (fields: object, message: string) => void;
}

/** Nothing is looked for where findings are neither told nor redacted. */
export const watchSecrets = (options: WatchOptions): NameWatch =>
  options.tells || options.redacts ? new Secrets(options) : { ...NO_SECRETS, nameText };

const COLUMN_OF: Readonly<Record<SecretKind, number>> = {
  'api-key': At.secretApiKey,
  jwt: At.secretJwt,
  card: At.secretCard,
  iban: At.secretIban,
  'e-mail': At.secretMail,
  'private-key': At.secretPrivateKey,
};

/** The same of the same client and domain is told again after this long. */
const TOLD_AGAIN_MS = 60_000;
const TOLD_MAX = 1024;
const TOLD_PER_SECOND = 20;
/** Octets of an unreadable query that are looked at; 64 of them would stand in its entry. */
const UNREADABLE_MAX = 255;

/** Types whose rdata is made of names, as an audit shows them. */
const NAMED = new Set<number>([Rrtype.CNAME, Rrtype.DNAME, Rrtype.NS, Rrtype.PTR, Rrtype.MX, Rrtype.SRV]);
/** Types that hold nothing but an address. */
const ADDRESSES = new Set<number>([Rrtype.A, Rrtype.AAAA]);

class Found implements Finding {
  readonly kinds: readonly string[];
  readonly redaction: Finding['redaction'];
  /** The name without and with its marks. */
  readonly plain: string;
  readonly text: string;
  readonly marks: ReadonlySet<string>;
  /** What was taken out of the name, and the marks that stand for it. */
  readonly parts: ReadonlyMap<string, string>;

  constructor(
    secrets: readonly Secret[],
    plain: string,
    text: string | null,
    marks: ReadonlySet<string>,
    parts: ReadonlyMap<string, string>,
  ) {
    this.kinds = [...new Set(secrets.map(({ kind }) => kind))];
    this.redaction = renderRedaction(text, this.kinds);
    this.plain = plain;
    this.text = text ?? plain;
    this.marks = marks;
    this.parts = parts;
  }
}

class Secrets implements NameWatch {
  readonly #options: WatchOptions;
  /** What was found last: evidence about a name is written right after the name was looked at. */
  #last: Found | null = null;
  #clients: ClientTexts | null = null;
  /** What was told, and when. */
  readonly #told = new Map<string, number>();
  #second = 0;
  #toldInSecond = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  examine(octets: Uint8Array, at: number): Finding | null {
    const secrets = findSecrets(octets, at);
    if (secrets.length === 0) return null;
    this.#last = this.#foundIn(labelsOf(octets, at), secrets);
    return this.#last;
  }

  examineUnreadable(octets: Uint8Array): (Finding & { readonly marks: string | null }) | null {
    const secrets = findSecretsInText(octets.subarray(0, UNREADABLE_MAX));
    if (secrets.length === 0) return null;
    const marks = new Set(secrets.map((secret) => markOf(secret, this.#options.key)));
    const { kinds, redaction } = new Found(secrets, '', null, marks, new Map());
    return { kinds, redaction, marks: this.#options.redacts ? [...marks].join(' ') : null };
  }

  readonly nameText = (name: Uint8Array, at = 0): string => {
    const plain = nameText(name, at);
    if (!this.#options.redacts) return plain;
    // The last finding may know more: it was made in the case of the query.
    if (this.#last?.plain === plain) return this.#last.text;
    const secrets = findSecrets(name, at);
    return secrets.length === 0 ? plain : this.#foundIn(labelsOf(name, at), secrets).text;
  };

  redactRdata(type: number, text: string, asked: Finding | null): string {
    if (!this.#options.redacts || ADDRESSES.has(type)) return text;
    const found = asked instanceof Found ? asked : null;
    if (found === null && !NAMED.has(type)) return text;
    let redacted = text;
    for (const [part, mark] of found?.parts ?? []) redacted = replaceFolded(redacted, part, mark);
    const isMeant = NAMED.has(type) ? () => true : (mark: string) => found?.marks.has(mark) === true;
    return this.#redact(redacted, isMeant);
  }

  note(
    finding: Finding,
    client: Uint8Array,
    clientLength: number,
    group: string | null,
    isDenied: boolean,
  ): void {
    const { tells, counters, clients, log } = this.#options;
    const nowMs = Date.now();
    if (!tells) return;
    const { kinds } = finding;
    for (const kind of kinds) counters.columns[COLUMN_OF[kind as SecretKind]]!++;
    this.#clients ??= new ClientTexts(clients);
    const who = this.#clients.textAt(nowMs, client, clientLength);
    const domain = finding instanceof Found ? domainOf(finding.text) : null;
    if (!this.#mayTell(nowMs, `${kinds.join(' ')} ${who} ${domain}`)) {
      counters.columns[At.secretUntold]!++;
      return;
    }
    log({ kinds, client: who, group, domain, denied: isDenied }, 'a name gives something away');
  }

  /** Bounded in what is remembered and in how much is told: forged clients can bring a finding with every query. */
  #mayTell(nowMs: number, what: string): boolean {
    const before = this.#told.get(what);
    if (before !== undefined && nowMs - before < TOLD_AGAIN_MS) return false;
    const second = Math.floor(nowMs / 1000);
    if (second !== this.#second) this.#toldInSecond = 0;
    this.#second = second;
    if (this.#toldInSecond === TOLD_PER_SECOND) return false;
    this.#toldInSecond++;
    this.#told.delete(what);
    if (this.#told.size === TOLD_MAX) this.#told.delete(this.#told.keys().next().value as string);
    this.#told.set(what, nowMs);
    return true;
  }

  /** The name with each run of labels that gives something away replaced by its marks. */
  #foundIn(labels: readonly string[], secrets: readonly Secret[]): Found {
    const plain = labels.join('.');
    const texts: string[] = [];
    const parts = new Map<string, string>();
    let next = 0;
    for (const { first, last, marks } of this.#runs(secrets)) {
      texts.push(...labels.slice(next, first), marks);
      parts.set(labels.slice(first, last + 1).join('.'), marks);
      next = last + 1;
    }
    texts.push(...labels.slice(next));
    const marks = new Set(secrets.map((secret) => markOf(secret, this.#options.key)));
    return new Found(secrets, plain, this.#options.redacts ? texts.join('.') : null, marks, parts);
  }

  #redact(text: string, isMeant: (mark: string) => boolean): string {
    const secrets = findSecretsInText(Buffer.from(text, 'latin1')).filter((secret) =>
      isMeant(markOf(secret, this.#options.key)),
    );
    let redacted = '';
    let next = 0;
    for (const { first, last, marks } of this.#runs(secrets)) {
      redacted += text.slice(next, first) + marks;
      next = last + 1;
    }
    return redacted + text.slice(next);
  }

  /** Secrets in order; those that overlap in one run, each mark a label of its own: none becomes too long. */
  #runs(secrets: readonly Secret[]): { first: number; last: number; marks: string }[] {
    const runs: { first: number; last: number; marks: string }[] = [];
    for (const secret of [...secrets].sort((left, right) => left.first - right.first)) {
      const { first, last } = secret;
      const mark = markOf(secret, this.#options.key);
      const run = runs.at(-1);
      if (run === undefined || first > run.last) runs.push({ first, last, marks: mark });
      else {
        run.last = Math.max(run.last, last);
        run.marks += `.${mark}`;
      }
    }
    return runs;
  }
}

/** Labels in presentation form, lower-cased. */
function labelsOf(octets: Uint8Array, at: number): string[] {
  const labels: string[] = [];
  for (; octets[at] > 0; at += octets[at] + 1) {
    const label = Uint8Array.from(octets.subarray(at, at + octets[at] + 1), lowerOctet);
    label[0] = octets[at];
    labels.push(nameText(Uint8Array.of(...label, 0)));
  }
  return labels;
}

/** Replaces `part` wherever it stands, in any case. */
function replaceFolded(text: string, part: string, mark: string): string {
  const folded = text.toLowerCase();
  let redacted = '';
  let next = 0;
  for (let at = folded.indexOf(part); at >= 0; at = folded.indexOf(part, next)) {
    redacted += text.slice(next, at) + mark;
    next = at + part.length;
  }
  return redacted + text.slice(next);
}

/** The registrable domain, or the whole name where there is none. */
const domainOf = (text: string): string =>
  getDomain(text, { allowPrivateDomains: true, validateHostname: false }) ?? text;
