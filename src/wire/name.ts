/**
 * Domain names as octets (RFC 1035 sections 3.1 and 4.1.4, RFC 4343 for case, RFC 9267 for what goes wrong).
 *
 * A name on the wire is a run of labels, each a length octet and that many octets of any value, closed by a zero
 * octet or by a pointer to an earlier place. A *canonical* name here is uncompressed, ASCII letters lower-cased,
 * with its closing zero: 1 to 255 octets. Names are compared in that form and never as dotted text, because a label
 * may itself contain a dot.
 */
import { MALFORMED } from './octets.ts';

/** Most octets of a name, closing zero included. */
export const NAME_LENGTH_MAX = 255;
/** Most labels of a name, root not counted. */
export const LABEL_COUNT_MAX = 127;

const LOWER = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 65 && octet <= 90 ? octet + 32 : octet,
);

const AS_IT_IS = Uint8Array.from({ length: 256 }, (_, octet) => octet);

/** An octet with ASCII `A`–`Z` turned to lower case (RFC 4343 section 3); every other value as it is. */
export const lowerOctet = (octet: number): number => LOWER[octet];

/**
 * The position behind the name at `at`, pointers not followed but checked to point backwards; MALFORMED when the
 * name runs past `end` or uses a reserved label type.
 */
export function skipName(message: Uint8Array, at: number, end: number): number {
  const start = at;
  while (at < end) {
    const length = message[at];
    if (length === 0) return at + 1;
    if (length >= 0xc0) {
      if (at + 1 >= end) return MALFORMED;
      const target = ((length & 0x3f) << 8) | message[at + 1];
      return target < start ? at + 2 : MALFORMED;
    }
    if (length > 63) return MALFORMED;
    at += length + 1;
    if (at - start >= NAME_LENGTH_MAX) return MALFORMED;
  }
  return MALFORMED;
}

/**
 * Writes the name at `at` in canonical form to `into` (at least 255 octets) and returns its length in octets, or
 * MALFORMED. Pointers must point before the place where the name (or the last pointer) began, so a chain of them
 * gets shorter with every step and cannot loop.
 */
export function readName(message: Uint8Array, at: number, end: number, into: Uint8Array): number {
  return copyName(message, at, end, into, 0, LOWER);
}

/** Follows a name from `at` and writes it uncompressed, each octet through `fold`. */
function copyName(
  message: Uint8Array,
  at: number,
  end: number,
  into: Uint8Array,
  to: number,
  fold: Uint8Array,
): number {
  let length = 0;
  let before = at;
  for (;;) {
    if (at >= end) return MALFORMED;
    const octet = message[at];
    if (octet >= 0xc0) {
      if (at + 1 >= end) return MALFORMED;
      const target = ((octet & 0x3f) << 8) | message[at + 1];
      if (target >= before) return MALFORMED;
      before = at = target;
      continue;
    }
    if (octet > 63 || at + octet >= end || length + octet + 1 > NAME_LENGTH_MAX) return MALFORMED;
    into[to + length] = octet;
    for (let i = 1; i <= octet; i++) into[to + length + i] = fold[message[at + i]];
    length += octet + 1;
    if (octet === 0) return length;
    if (length >= NAME_LENGTH_MAX) return MALFORMED;
    at += octet + 1;
  }
}

/** Length in octets of the canonical name at `at`, which the caller knows to be well formed. */
export function nameLength(name: Uint8Array, at = 0): number {
  let end = at;
  while (name[end] !== 0) end += name[end] + 1;
  return end + 1 - at;
}

/** Whether two canonical names are the same. */
export function sameName(left: Uint8Array, leftAt: number, right: Uint8Array, rightAt: number): boolean {
  for (let i = 0; ; ) {
    const length = left[leftAt + i];
    if (length !== right[rightAt + i]) return false;
    if (length === 0) return true;
    const next = i + length + 1;
    for (i++; i < next; i++) if (left[leftAt + i] !== right[rightAt + i]) return false;
  }
}

/** Whether canonical `name` is `ancestor` or lies below it. */
export function isAtOrBelow(name: Uint8Array, ancestor: Uint8Array): boolean {
  const nameOctets = nameLength(name);
  const ancestorOctets = nameLength(ancestor);
  let at = 0;
  while (nameOctets - at > ancestorOctets) at += name[at] + 1;
  return nameOctets - at === ancestorOctets && sameName(name, at, ancestor, 0);
}

const ESCAPED = new Set([0x22, 0x24, 0x28, 0x29, 0x2e, 0x3b, 0x40, 0x5c]);

/**
 * Presentation form of a canonical name without the final dot, `.` for the root (RFC 1035 section 5.1): characters
 * with a meaning in master files are escaped with a backslash, octets outside 33–126 as `\DDD`.
 */
export function nameText(name: Uint8Array, at = 0): string {
  let text = '';
  while (name[at] !== 0) {
    const end = at + name[at] + 1;
    if (text !== '') text += '.';
    for (at++; at < end; at++) {
      const octet = name[at];
      if (octet < 33 || octet > 126) text += `\\${String(octet).padStart(3, '0')}`;
      else if (ESCAPED.has(octet)) text += `\\${String.fromCharCode(octet)}`;
      else text += String.fromCharCode(octet);
    }
  }
  return text === '' ? '.' : text;
}

/** Why `nameOctets` could not read a text, in words for people. */
export class NameError extends Error {}

/**
 * Canonical octets of a name in presentation form, with or without final dot; `\.`, `\\` and `\DDD` are understood.
 * Throws NameError with what is wrong and what is allowed. IDN is not converted here: see `config`.
 */
export function nameOctets(text: string): Uint8Array {
  if (text === '.') return Uint8Array.of(0);
  if (text === '') throw new NameError('a name is empty; write "." for the root');
  const octets: number[] = [];
  let label: number[] = [];
  const closeLabel = (): void => {
    if (label.length === 0)
      throw new NameError(`"${text}" has an empty label (two dots in a row, or a leading dot)`);
    if (label.length > 63)
      throw new NameError(`"${text}" has a label of ${label.length} octets; at most 63 are allowed`);
    octets.push(label.length, ...label);
    label = [];
  };
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code === 0x2e) {
      closeLabel();
      if (i === text.length - 1) break;
      continue;
    }
    if (code === 0x5c) {
      const decimal = /^\d{3}/.exec(text.slice(i + 1))?.[0];
      if (decimal !== undefined) {
        code = Number(decimal);
        i += 3;
      } else {
        i++;
        if (i >= text.length) throw new NameError(`"${text}" ends in a lone backslash`);
        code = text.charCodeAt(i);
      }
    }
    if (code > 255)
      throw new NameError(`"${text}" has a character outside Latin-1; write it as an A-label (xn--…)`);
    label.push(LOWER[code]);
  }
  if (label.length > 0) closeLabel();
  if (octets.length + 1 > NAME_LENGTH_MAX) {
    throw new NameError(
      `"${text.slice(0, 60)}…" is ${octets.length + 1} octets long; at most ${NAME_LENGTH_MAX} are allowed`,
    );
  }
  return Uint8Array.from([...octets, 0]);
}

/**
 * Writes the name at `at` uncompressed but in its own case to `into` at `to`; returns its length in octets or MALFORMED.
 * For rdata, whose case RFC 4343 section 4 asks to keep.
 */
export function expandName(
  message: Uint8Array,
  at: number,
  end: number,
  into: Uint8Array,
  to: number,
): number {
  return copyName(message, at, end, into, to, AS_IT_IS);
}

/** Whether two well-formed uncompressed names are the same but for ASCII case. */
export function sameNameFolded(
  left: Uint8Array,
  leftAt: number,
  right: Uint8Array,
  rightAt: number,
): boolean {
  for (let i = 0; ; ) {
    const length = left[leftAt + i];
    if (length !== right[rightAt + i]) return false;
    if (length === 0) return true;
    const next = i + length + 1;
    for (i++; i < next; i++) if (LOWER[left[leftAt + i]] !== LOWER[right[rightAt + i]]) return false;
  }
}
