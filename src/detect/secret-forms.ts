/**
 * The forms that secrets and personal data have. Each reader begins at a position of a text and says where the value ends,
 * or −1; none of them makes an object, and none looks at a position more than a few times.
 *
 * Names are lower-cased before they get here, so every form is matched in any case.
 */
import { BASE32, CLASS, DIGIT, HEX, LOWER, type SecretText, TOKEN, WORD } from './secret-text.ts';

export type SecretKind = 'api-key' | 'jwt' | 'card' | 'iban' | 'e-mail' | 'private-key';

/** A label this long was cut because it was full, so its value may go on in the next one. */
const FULL_LABEL = 30;
const DOT = 0x2e;
const HYPHEN = 0x2d;

/** A key that begins with words of its own. */
interface KeyForm {
  readonly prefix: string;
  readonly kind: SecretKind;
  readonly what: string;
  /** Characters behind the prefix: their class, fewest and most. Equal numbers demand an end behind them. */
  readonly body: number;
  readonly least: number;
  readonly most: number;
  /** Fewest digits among them: keys have some, words of a host name seldom. */
  readonly digits: number;
  /** Characters that stand somewhere among them, or none. */
  readonly within: string;
}

const key = (
  prefix: string,
  what: string,
  body: number,
  least: number,
  most = 255,
  digits = 1,
  kind: SecretKind = 'api-key',
  within = '',
): KeyForm => ({ prefix, what, body, least, most, digits, kind, within });

const KEY_FORMS: readonly KeyForm[] = [
  key('akia', 'AWS access key id', BASE32, 16, 16),
  // "asia" begins many a host name.
  key('asia', 'AWS access key id', BASE32, 16, 16, 2),
  key('abia', 'AWS access key id', BASE32, 16, 16, 2),
  key('acca', 'AWS access key id', BASE32, 16, 16, 2),
  ...['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'].map((prefix) => key(prefix, 'GitHub token', WORD, 36, 36)),
  key('github_pat_', 'GitHub token', TOKEN, 40, 82),
  key('glpat-', 'GitLab token', TOKEN, 20, 64),
  ...['xoxa-', 'xoxb-', 'xoxe-', 'xoxo-', 'xoxp-', 'xoxr-', 'xoxs-'].map((prefix) =>
    key(prefix, 'Slack token', TOKEN, 10, 255, 4),
  ),
  ...['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'pk_live_', 'pk_test_'].map((prefix) =>
    key(prefix, 'Stripe key', WORD, 16),
  ),
  ...['sk-proj-', 'sk-ant-', 'sk-svcacct-', 'sk-or-v1-'].map((prefix) =>
    key(prefix, 'key of a model provider', TOKEN, 32, 255, 3),
  ),
  // "sk-" begins many a host name in Slovakia; the Base64 of "OpenAI" does not stand in it.
  key('sk-', 'key of a model provider', WORD, 48, 48, 0, 'api-key', 't3blbkfj'),
  key('hf_', 'Hugging Face token', WORD, 34, 34),
  key('aiza', 'Google API key', TOKEN, 35, 35),
  key('ya29.', 'Google OAuth token', TOKEN, 20, 255, 2),
  key('npm_', 'npm token', WORD, 36, 36),
  key('dop_v1_', 'DigitalOcean token', HEX, 64, 64),
  key('shpat_', 'Shopify token', HEX, 32, 32),
  key('hvs.', 'Vault token', TOKEN, 24, 255, 2),
  key('-----begin', 'private key', 0, 0, 0, 0, 'private-key'),
  key('openssh-key-v1', 'private key', 0, 0, 0, 0, 'private-key'),
].map((form) => Object.freeze(form));

/** Forms by their first character. */
const FORMS_BY_FIRST: readonly (readonly KeyForm[] | undefined)[] = Array.from({ length: 128 }, (_, code) => {
  const forms = KEY_FORMS.filter(({ prefix }) => prefix.charCodeAt(0) === code);
  return forms.length === 0 ? undefined : forms;
});

/** What the last reader that found something found. One object, filled anew. */
export class Match {
  kind: SecretKind = 'api-key';
  what = '';
  from = 0;
  /** Behind the last character. */
  to = 0;
  /** Class of the characters that make the value, 0 for all: separators are left out of it. */
  mask = 0;

  set(kind: SecretKind, what: string, from: number, to: number, mask: number): true {
    this.kind = kind;
    this.what = what;
    this.from = from;
    this.to = to;
    this.mask = mask;
    return true;
  }
}

/** A key of a known form that begins at `at`. */
export function readKey(text: SecretText, at: number, match: Match): boolean {
  const first = LOWER[text.octets[at]];
  const forms = first < 128 ? FORMS_BY_FIRST[first] : undefined;
  if (forms === undefined) return false;
  for (const form of forms) {
    const bodyAt = behindPrefix(text, at, form.prefix);
    if (bodyAt < 0) continue;
    const end = behindBody(text, bodyAt, form);
    if (end >= 0 && (form.within === '' || text.value(bodyAt, end, WORD).includes(form.within)))
      return match.set(form.kind, form.what, at, end, TOKEN);
  }
  return false;
}

/** Position behind a prefix, which may be cut at dots as well; −1 where it does not stand. */
function behindPrefix(text: SecretText, at: number, prefix: string): number {
  const { octets, length, isName } = text;
  for (let i = 0; i < prefix.length; i++, at++) {
    while (isName && i > 0 && octets[at] === DOT && prefix.charCodeAt(i) !== DOT && at < length) at++;
    if (at >= length || LOWER[octets[at]] !== prefix.charCodeAt(i)) return -1;
  }
  return at;
}

function behindBody(text: SecretText, at: number, { body, least, most, digits }: KeyForm): number {
  if (most === 0) return at;
  const isExact = least === most;
  let count = 0;
  let found = 0;
  let end = at;
  let labelAt = at;
  for (let i = at; i < text.length && count < most; i++) {
    const octet = text.octets[i];
    if ((CLASS[octet] & body) !== 0) {
      count++;
      if ((CLASS[octet] & DIGIT) !== 0) found++;
      end = i + 1;
    } else if (
      octet === DOT &&
      text.isName &&
      (isExact || (i - labelAt >= FULL_LABEL && i + 1 < text.zoneAt))
    ) {
      // A value of known length is followed wherever it was cut, any other only where its label was full.
      labelAt = i + 1;
    } else break;
  }
  if (count < least || found < digits) return -1;
  return isExact && text.hasWordAt(end) ? -1 : end;
}

/** What JOSE headers begin with: `{"alg`, `{"typ`, `{"kid`, `{"cty`, `{"enc`, `{"x5t` in Base64url. */
const JOSE_HEADERS = ['eyjhbgci', 'eyj0exai', 'eyjrawqi', 'eyjjdhki', 'eyjlbmmi', 'eyj4nxqi'];
/** `{"` in Base64url. */
const JSON_OPENS = 'eyj';

/** A JSON web token (RFC 7519) whose header begins at `at`, or what is left of one. */
export function readJwt(text: SecretText, at: number, match: Match): boolean {
  if (behindPrefix(text, at, JSON_OPENS) < 0) return false;
  const headerEnd = behindToken(text, at);
  if (headerEnd - at < 11) return false;
  const isHeader = headerEnd - at >= 16 && JOSE_HEADERS.some((head) => behindPrefix(text, at, head) >= 0);
  const isFollowed =
    text.octets[headerEnd] === DOT &&
    behindPrefix(text, headerEnd + 1, JSON_OPENS) >= 0 &&
    headerEnd + 12 <= text.length;
  if (!isHeader && !isFollowed) return false;
  // Payload and signature: what goes on as long as labels are long, or the one before was full.
  let end = headerEnd;
  let from = at;
  while (end + 1 < text.length && text.octets[end] === DOT) {
    const next = behindToken(text, end + 1);
    const length = next - end - 1;
    const goesOn = length >= 16 || end - from >= FULL_LABEL || behindPrefix(text, end + 1, JSON_OPENS) >= 0;
    if (length === 0 || end + 1 >= text.zoneAt || !goesOn) break;
    from = end + 1;
    end = next;
  }
  return match.set('jwt', 'JSON web token', at, end, TOKEN);
}

function behindToken(text: SecretText, at: number): number {
  while (at < text.length && (CLASS[text.octets[at]] & TOKEN) !== 0) at++;
  return at;
}

const digits = new Uint8Array(19);

/**
 * A card number that begins at `at` (ISO/IEC 7812-1): in one run, in the groups it is printed in, or cut at dots into
 * parts of three digits and more.
 */
export function readCard(text: SecretText, at: number, match: Match): boolean {
  if (at > 0 && text.cuts[at] === 0 && (CLASS[text.octets[at - 1]] & HEX) !== 0) return false;
  let count = 0;
  let end = at;
  let group = 0;
  let groups = 0;
  let printed = true;
  for (let i = at; i < text.length && count < 19; i++) {
    const octet = text.octets[i];
    if ((CLASS[octet] & DIGIT) !== 0) {
      digits[count++] = octet - 48;
      group++;
      end = i + 1;
      if (isCard(count) && isEnd(text, end)) {
        const isWhole = groups === 0 || (printed && (group === 4 || (groups === 2 && group === 5)));
        if (isWhole || (!printed && group >= 3)) return match.set('card', 'card number', at, end, DIGIT);
      }
      continue;
    }
    const isSeparator = octet === HYPHEN || octet === 0x20 || octet === 0x5f;
    if (octet === DOT && text.isName && group >= 3) printed = false;
    else if (!isSeparator || (group !== 4 && !(groups === 1 && group === 6))) return false;
    group = 0;
    groups++;
  }
  return false;
}

/** Nothing behind `end` that would make the number longer, or part of a run of hexadecimal digits. */
const isEnd = (text: SecretText, end: number): boolean =>
  end >= text.length || text.cuts[end] === 1 || (CLASS[text.octets[end]] & HEX) === 0;

/** Whether the first `count` digits are a number of a known issuer, with the right length and check digit. */
function isCard(count: number): boolean {
  if (count < 14 || count > 19) return false;
  const two = digits[0] * 10 + digits[1];
  const four = two * 100 + digits[2] * 10 + digits[3];
  const fits =
    count === 16
      ? digits[0] === 4 ||
        (two >= 51 && two <= 55) ||
        (four >= 2221 && four <= 2720) ||
        four === 6011 ||
        (four >= 6440 && four <= 6599) ||
        (four >= 3528 && four <= 3589) ||
        two === 62
      : count === 15
        ? two === 34 || two === 37
        : count === 14
          ? two === 36 || two === 38 || (four >= 3000 && four <= 3059)
          : count === 19 && (digits[0] === 4 || two === 62);
  return fits && isVaried(count) && isLuhn(count);
}

function isLuhn(count: number): boolean {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const digit = digits[count - 1 - i];
    sum += i % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
}

/** Not the same digit throughout. */
function isVaried(count: number): boolean {
  for (let i = 1; i < count; i++) if (digits[i] !== digits[0]) return true;
  return false;
}

/** Length of an IBAN by country (registry of ISO 13616). */
const IBAN_LENGTHS =
  'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 ' +
  'FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 ' +
  'LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 ' +
  'SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30';
const IBAN_LENGTH_OF = new Uint8Array(26 * 26);
for (const entry of IBAN_LENGTHS.toLowerCase().split(' '))
  IBAN_LENGTH_OF[(entry.charCodeAt(0) - 97) * 26 + entry.charCodeAt(1) - 97] = Number(entry.slice(2));

const characters = new Uint8Array(34);

/** An IBAN that begins at `at`: in one run, in groups of four, or cut at dots. At least half of it is digits. */
export function readIban(text: SecretText, at: number, match: Match): boolean {
  const { octets, length } = text;
  if (at + 15 > length) return false;
  const first = LOWER[octets[at]] - 97;
  const second = LOWER[octets[at + 1]] - 97;
  if (first < 0 || first > 25 || second < 0 || second > 25) return false;
  if ((CLASS[octets[at + 2]] & CLASS[octets[at + 3]] & DIGIT) === 0) return false;
  const wanted = IBAN_LENGTH_OF[first * 26 + second];
  if (wanted === 0) return false;
  let count = 0;
  let group = 0;
  let digitCount = 0;
  let i = at;
  for (; i < length && count < wanted; i++) {
    const octet = octets[i];
    if ((CLASS[octet] & WORD) !== 0) {
      characters[count++] = LOWER[octet];
      group++;
      if ((CLASS[octet] & DIGIT) !== 0) digitCount++;
      continue;
    }
    const isCut = octet === DOT && text.isName && group >= 3;
    if (!isCut && !((octet === HYPHEN || octet === 0x20 || octet === 0x5f) && group === 4)) return false;
    group = 0;
  }
  if (count < wanted || text.hasWordAt(i) || digitCount * 2 < wanted) return false;
  return isIban(wanted) && match.set('iban', 'IBAN', at, i, WORD);
}

/** Check digits by ISO/IEC 7064, MOD 97-10: the first four characters count last. */
function isIban(count: number): boolean {
  let rest = 0;
  for (let i = 0; i < count; i++) {
    const code = characters[(i + 4) % count];
    const value = code >= 97 ? code - 87 : code - 48;
    rest = (value > 9 ? rest * 100 + value : rest * 10 + value) % 97;
  }
  return rest === 1;
}

/** Second-level names below which people register (`co.uk`). */
const SECOND_LEVEL = new Set(['ac', 'co', 'com', 'edu', 'gov', 'ne', 'net', 'or', 'org']);

/** A mail address around the `@` at `at`. */
export function readMail(text: SecretText, at: number, match: Match): boolean {
  let from = at;
  while (from > 0 && at - from < 64 && isLocal(text.octets[from - 1])) from--;
  while (from < at && text.octets[from] === DOT) from++;
  if (at - from < 2) return false;
  const to = text.isName ? behindMailDomain(text, at + 1) : behindHost(text, at + 1);
  return to >= 0 && match.set('e-mail', 'mail address', from, to, 0);
}

const isLocal = (octet: number): boolean =>
  (CLASS[octet] & TOKEN) !== 0 || octet === DOT || octet === 0x2b || octet === 0x25;

const isHost = (octet: number): boolean => (CLASS[octet] & WORD) !== 0 || octet === HYPHEN;

/** In a name the zone follows at once: the domain of the address is taken to be as short as such domains are. */
function behindMailDomain(text: SecretText, at: number): number {
  const first = behindLabel(text, at);
  if (first === at || text.octets[first] !== DOT) return -1;
  const second = behindLabel(text, first + 1);
  if (second - first < 3) return -1;
  const third = text.octets[second] === DOT ? behindLabel(text, second + 1) : second;
  return third - second === 3 && SECOND_LEVEL.has(text.value(first + 1, second, 0)) ? third : second;
}

function behindLabel(text: SecretText, at: number): number {
  while (at < text.length && isHost(text.octets[at])) at++;
  return at;
}

function behindHost(text: SecretText, at: number): number {
  let end = at;
  while (end < text.length && (isHost(text.octets[end]) || text.octets[end] === DOT)) end++;
  while (end > at && text.octets[end - 1] === DOT) end--;
  for (let dot = end - 3; dot > at; dot--) if (text.octets[dot] === DOT) return end;
  return -1;
}
