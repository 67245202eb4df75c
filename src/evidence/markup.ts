/**
 * HTML that cannot be escaped from. A template puts every value through `escapeHtml`; only what another template has made
 * goes in as it is. Whoever asks a resolver chooses the names in its log, so this is the one way into the page.
 */

/** Markup made by a template. Nothing else can make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Piece = string | number | Markup | readonly Piece[];

export function html(parts: TemplateStringsArray, ...values: readonly Piece[]): Markup {
  let text = parts[0];
  for (let i = 0; i < values.length; i++) text += textOf(values[i]) + parts[i + 1];
  return new Markup(text);
}

function textOf(piece: Piece): string {
  if (piece instanceof Markup) return piece.text;
  if (typeof piece === 'string') return escapeHtml(piece);
  return typeof piece === 'number' ? String(piece) : piece.map(textOf).join('');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** What reorders, hides or breaks text: shown as its escape, as the audit shows it. */
const UNREADABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** `text` as the content of an element or of a quoted attribute. */
export const escapeHtml = (text: string): string =>
  text
    .replace(UNREADABLE, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`)
    .replace(/[&<>"'`]/g, (character) => ENTITIES[character]);
