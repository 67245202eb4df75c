/**
 * The names the bench asks. Each kind has its own suffix and a number that is written as eight hex digits into the first
 * label, so that a name costs eight octets to make and a response tells which question it answers.
 *
 *    06 68 … : 9 octets, one letter of the kind, eight digits; then the suffix
 */
export const KINDS = {
  /** Asked again and again: answered from cache. */
  hit: { letter: 'h', suffix: 'hit.example.net' },
  /** Never asked twice: always forwarded. */
  miss: { letter: 'm', suffix: 'miss.example.net' },
  /** Names of the deny list: number 0 to one less than the rules. */
  deny: { letter: 'd', suffix: 'bad.example.org' },
  /** Names that no rule mentions. */
  stranger: { letter: 's', suffix: 'other.example.com' },
} as const;
export type Kind = keyof typeof KINDS;

/** Offset of the letter in a message, and of the digits after it. */
export const LETTER_AT = 13;
const DIGITS_AT = 14;
export const DIGITS = 8;

export const nameOf = (kind: Kind, number: number): string =>
  `${KINDS[kind].letter}${number.toString(16).padStart(DIGITS, '0')}.${KINDS[kind].suffix}`;

const HEADER = Buffer.from('000001000001000000000001', 'hex');
/** Type A, class IN; then an OPT record that offers 1232 octets. */
const TAIL = Buffer.from('00010001' + '00002904d0000000000000', 'hex');

/** A query of a kind with the number 0, to be written over. */
export function template(kind: Kind): Buffer {
  const labels = nameOf(kind, 0)
    .split('.')
    .map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label, 'latin1')]));
  return Buffer.concat([HEADER, ...labels, Buffer.of(0), TAIL]);
}

const HEX = Buffer.from('0123456789abcdef', 'latin1');

export function writeNumber(octets: Buffer, messageAt: number, number: number): void {
  let rest = number;
  for (let at = messageAt + DIGITS_AT + DIGITS - 1; at >= messageAt + DIGITS_AT; at--) {
    octets[at] = HEX[rest & 15]!;
    rest >>>= 4;
  }
}

/** Reads the digits back; letters may have come back in either case (0x20). */
export function readNumber(octets: Buffer, messageAt: number): number {
  let number = 0;
  for (let at = messageAt + DIGITS_AT; at < messageAt + DIGITS_AT + DIGITS; at++) {
    const octet = octets[at]!;
    number = number * 16 + (octet <= 0x39 ? octet - 0x30 : (octet | 0x20) - 0x57);
  }
  return number;
}
