/**
 * Secrets and personal data inside names: keys of well-known forms, JWTs, card numbers, IBANs, mail addresses; as they
 * stand, and inside hex, Base32 and Base64 labels. Not for the query path: it makes text.
 *
 * Canonical names are lower-cased, so forms are matched in any case, and Base64 decodes only where the caller has kept the
 * case of the query.
 */
export type SecretKind = 'api-key' | 'jwt' | 'card' | 'iban' | 'e-mail' | 'private-key';

export interface Secret {
  readonly kind: SecretKind;
  /** What it looks like, e.g. `AWS access key id`. Never the secret itself. */
  readonly what: string;
  readonly encoding: 'plain' | 'hex' | 'base32' | 'base64';
  /** First and last label it was found in, counted from the leaf; these are to be redacted. */
  readonly firstLabel: number;
  readonly lastLabel: number;
}

const KEYS: readonly (readonly [RegExp, SecretKind, string])[] = [
  [/(?:^|[^a-z0-9])(?:akia|asia|abia|acca)[a-z2-7]{16}(?![a-z0-9])/i, 'api-key', 'AWS access key id'],
  [/(?:^|[^a-z0-9])gh[pousr]_[a-z0-9]{36}/i, 'api-key', 'GitHub token'],
  [/github_pat_[a-z0-9]{22}_[a-z0-9]{20}/i, 'api-key', 'GitHub token'],
  [/(?:^|[^a-z0-9])glpat-[a-z0-9_-]{20}/i, 'api-key', 'GitLab token'],
  [/(?:^|[^a-z0-9])xox[abeoprs]-[a-z0-9-]{10,}/i, 'api-key', 'Slack token'],
  [/(?:^|[^a-z0-9])(?:sk|rk|pk)_(?:live|test)_[a-z0-9]{16,}/i, 'api-key', 'Stripe key'],
  [/(?:^|[^a-z0-9])sk-(?:proj-|ant-|svcacct-)?[a-z0-9_-]{32,}/i, 'api-key', 'key of a model provider'],
  [/(?:^|[^a-z0-9])aiza[a-z0-9_-]{35}/i, 'api-key', 'Google API key'],
  [/(?:^|[^a-z0-9])ya29[._-][a-z0-9_-]{20,}/i, 'api-key', 'Google OAuth token'],
  [/(?:^|[^a-z0-9])npm_[a-z0-9]{36}/i, 'api-key', 'npm token'],
  [/(?:^|[^a-z0-9])dop_v1_[a-f0-9]{20,}/i, 'api-key', 'DigitalOcean token'],
  [/(?:^|[^a-z0-9])hvs\.?[a-z0-9_-]{24,}/i, 'api-key', 'Vault token'],
  [/(?:^|[^a-z0-9])sg\.[a-z0-9_-]{16,}\.[a-z0-9_-]{16,}/i, 'api-key', 'SendGrid key'],
  [/-----begin [a-z ]*private key/i, 'private-key', 'private key'],
  [/eyj[a-z0-9_-]{8,}[.]eyj[a-z0-9_.-]{8,}/i, 'jwt', 'JSON web token'],
  [/[a-z0-9._%+-]{2,}@[a-z0-9-]+(?:\.[a-z0-9-]+)+/i, 'e-mail', 'mail address'],
];

/** Secrets in a name: wire form, uncompressed, closing zero included; the case of the query where the caller has it. */
export function findSecrets(name: Uint8Array): Secret[] {
  const labels = labelsOf(name);
  const found = new Map<string, Secret>();
  const add = (
    kind: SecretKind,
    what: string,
    encoding: Secret['encoding'],
    first: number,
    last: number,
  ): void => {
    const key = `${kind} ${what}`;
    if (!found.has(key)) found.set(key, { kind, what, encoding, firstLabel: first, lastLabel: last });
  };
  const look = (text: string, encoding: Secret['encoding'], first: number, last: number): void => {
    for (const [form, kind, what] of KEYS) if (form.test(text)) add(kind, what, encoding, first, last);
    if (hasIban(text)) add('iban', 'IBAN', encoding, first, last);
    if (hasCard(text)) add('card', 'card number', encoding, first, last);
  };
  for (let i = 0; i < labels.length; i++) look(labels[i], 'plain', i, i);
  look(labels.join('.'), 'plain', 0, labels.length - 1);
  // A value that was cut to fit labels: runs of labels are joined before they are decoded.
  for (let i = 0; i < labels.length; i++) {
    let joined = '';
    for (let j = i; j < Math.min(labels.length, i + 4); j++) {
      joined += labels[j];
      for (const { encoding, text } of decoded(joined)) look(text, encoding, i, j);
      if (j > i)
        for (const [form, kind, what] of KEYS)
          if (kind === 'api-key' && form.test(joined)) add(kind, what, 'plain', i, j);
    }
  }
  return [...found.values()];
}

function labelsOf(name: Uint8Array): string[] {
  const labels: string[] = [];
  for (let at = 0; name[at] !== undefined && name[at] !== 0; at += name[at] + 1) {
    labels.push(Buffer.from(name.subarray(at + 1, at + 1 + name[at])).toString('latin1'));
  }
  return labels;
}

/** What a run of characters reads as, where that is text: random octets are printable by chance only when short. */
function* decoded(text: string): Generator<{ encoding: Secret['encoding']; text: string }> {
  if (text.length >= 16 && text.length % 2 === 0 && /^[0-9a-f]+$/i.test(text))
    yield* printable('hex', Buffer.from(text, 'hex'));
  if (text.length >= 16 && /^[a-z2-7]+=*$/i.test(text)) yield* printable('base32', fromBase32(text));
  if (text.length >= 16 && /[A-Z]/.test(text) && /^[A-Za-z0-9+/_-]+=*$/.test(text)) {
    yield* printable('base64', Buffer.from(text, 'base64'));
  }
}

function* printable(
  encoding: Secret['encoding'],
  octets: Buffer,
): Generator<{ encoding: Secret['encoding']; text: string }> {
  let odd = 0;
  for (const octet of octets)
    if ((octet < 32 && octet !== 9 && octet !== 10 && octet !== 13) || octet > 126) odd++;
  if (octets.length >= 8 && odd * 10 <= octets.length) yield { encoding, text: octets.toString('latin1') };
}

function fromBase32(text: string): Buffer {
  const octets: number[] = [];
  let bits = 0;
  let value = 0;
  for (const character of text.toLowerCase()) {
    const digit = 'abcdefghijklmnopqrstuvwxyz234567'.indexOf(character);
    if (digit < 0) break;
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    octets.push((value >> bits) & 255);
  }
  return Buffer.from(octets);
}

/** Lengths of card numbers by their first digits: Visa, Mastercard, American Express, Discover, JCB. */
const CARD =
  /(?<![0-9a-f])(?:4\d{15}|4\d{12}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|35\d{14})(?![0-9a-f])/gi;

function hasCard(text: string): boolean {
  const digits = text.replace(/(\d)[ -](?=\d)/g, '$1');
  for (const match of digits.matchAll(CARD)) if (isLuhn(match[0]) && new Set(match[0]).size > 3) return true;
  return false;
}

/** The check digit of ISO/IEC 7812-1. */
function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    if (i % 2 === 1) digit = digit > 4 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 === 0;
}

/** Length of an IBAN by country (ISO 13616 registry). */
const IBAN_LENGTHS: Readonly<Record<string, number>> = {
  AD: 24,
  AE: 23,
  AT: 20,
  BE: 16,
  BG: 22,
  CH: 21,
  CY: 28,
  CZ: 24,
  DE: 22,
  DK: 18,
  EE: 20,
  ES: 24,
  FI: 18,
  FR: 27,
  GB: 22,
  GI: 23,
  GR: 27,
  HR: 21,
  HU: 28,
  IE: 22,
  IL: 23,
  IS: 26,
  IT: 27,
  LI: 21,
  LT: 20,
  LU: 20,
  LV: 21,
  MC: 27,
  MT: 31,
  NL: 18,
  NO: 15,
  PL: 28,
  PT: 25,
  RO: 24,
  SA: 24,
  SE: 24,
  SI: 19,
  SK: 24,
  SM: 27,
  TR: 26,
};

function hasIban(text: string): boolean {
  const upper = text.toUpperCase();
  for (const match of upper.matchAll(/(?<![0-9A-Z])[A-Z]{2}\d{2}(?:[ -]?[0-9A-Z]){11,30}/g)) {
    const length = IBAN_LENGTHS[match[0].slice(0, 2)];
    if (length === undefined) continue;
    // The first `length` characters, groups of four or not, and then an end.
    let iban = '';
    let at = 0;
    for (; at < match[0].length && iban.length < length; at++)
      if (/[0-9A-Z]/.test(match[0][at])) iban += match[0][at];
    const after = upper[match.index + at];
    if (iban.length < length || (after !== undefined && /[0-9A-Z]/.test(after))) continue;
    let rest = 0;
    for (const character of iban.slice(4) + iban.slice(0, 4)) {
      const value = Number.parseInt(character, 36);
      rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97;
    }
    if (rest === 1) return true;
  }
  return false;
}
