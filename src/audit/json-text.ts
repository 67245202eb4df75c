/**
 * The one place where text becomes part of a line of the log. No name, reason or answer can end a line, forge a member
 * or move the cursor of the terminal in which somebody reads it.
 */

/**
 * What JSON allows inside a string but a reader must not meet raw: C1 controls and DEL (terminals obey them), format
 * characters (they reorder or hide text), and the two Unicode line breaks (JavaScript and some log readers split there).
 */
const UNREADABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const escapeUnit = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`;

function escapeCharacter(character: string): string {
  let text = '';
  for (let i = 0; i < character.length; i++) text += escapeUnit(character.charCodeAt(i));
  return text;
}

/** Printable ASCII without quote and backslash: what nearly all texts are, and what needs no escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** `text` as a JSON string with its quotes: one line, nothing in it that a terminal obeys. `JSON.parse` gives it back. */
export function jsonText(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(UNREADABLE, escapeCharacter);
}

/** A JSON object on one line. Values pass through `jsonText`; keys are Sallyport's own words. */
export function jsonLine(members: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(members).replace(UNREADABLE, escapeCharacter)}\n`;
}

/** `text` for a terminal: what a terminal would obey is shown as its escape. */
export const plainText = (text: string): string => text.replace(UNREADABLE, escapeCharacter);
