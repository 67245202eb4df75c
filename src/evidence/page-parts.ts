/** What every section of the page is made of: tables, times, numbers, marks, control ids. */
import type { Listing, WordCount } from './bounded-table.ts';
import { CONFIRM, CONTROLS, type SectionName } from './controls.ts';
import { html, type Markup, type Piece } from './markup.ts';

/** `2026-11-21 09:10:11`: UTC, as the head of the page says. */
export const time = (text: string | null): string =>
  text === null || text === '' ? '–' : text.slice(0, 19).replace('T', ' ');

/** First and last of something, one below the other. */
export const span = ({ first, last }: { readonly first: string; readonly last: string }): Piece =>
  first === last ? time(first) : html`${time(first)}<br>${time(last)}`;

export const day = (text: string | null): string => (text === null ? '–' : text.slice(0, 10));

/** `1 234 567`, with narrow spaces that do not break. */
export const number = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, '\u202f');

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`;

export type Tone = 'plain' | 'good' | 'warn' | 'bad';

export const mark = (text: string, tone: Tone): Markup => html`<span class="mark ${tone}">${text}</span>`;

export const words = (counts: readonly WordCount[]): Piece =>
  counts.length === 1
    ? counts[0].word
    : counts.map(({ word, count }) => `${word} (${number(count)})`).join(', ');

export interface Column<Row> {
  readonly title: string;
  readonly kind: 'name' | 'text' | 'number' | 'time' | 'plain';
  readonly cell: (row: Row) => Piece;
}

/** A table and what was left out of it, or a sentence when there is nothing to show. */
export function table<Row>(
  { rows, omitted, uncounted }: Listing<Row>,
  columns: readonly Column<Row>[],
  nothing: string,
): Markup {
  if (rows.length === 0 && uncounted === 0) return html`<p class="faint">${nothing}</p>\n`;
  const head = columns.map(({ title, kind }) => html`<th class="${kind}" scope="col">${title}</th>`);
  const body = rows.map(
    (row) => html`<tr>${columns.map(({ kind, cell }) => html`<td class="${kind}">${cell(row)}</td>`)}</tr>\n`,
  );
  return html`<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>
${body}</tbody></table></div>
${leftOut(omitted, uncounted)}`;
}

function leftOut(omitted: number, uncounted: number): Piece {
  const said = [
    ...(omitted > 0
      ? [`${plural(omitted, 'more row is', 'more rows are')} counted above and not listed.`]
      : []),
    ...(uncounted > 0
      ? [
          `${plural(uncounted, 'record')} came when the table was full: in the totals, in no row. Make reports for shorter periods to see them.`,
        ]
      : []),
  ];
  return said.length === 0 ? '' : html`<p class="faint">${said.join(' ')}</p>\n`;
}

export function section(name: SectionName, title: string, content: Piece): Markup {
  const controls = CONTROLS[name].map((control) => {
    const { framework, ids } = control;
    const dagger = 'remark' in control ? '†' : '';
    return ids[0].startsWith(framework)
      ? html`<span><b>${ids.join(', ')}</b>${dagger}</span>`
      : html`<span><b>${framework}</b> ${ids.join(', ')}${dagger}</span>`;
  });
  return html`<section id="${name}">
<h2>${title}</h2>
<p class="controls">${controls}<span>† ${CONFIRM}</span></p>
${content}</section>
`;
}

export const bullets = (lines: readonly string[]): Piece =>
  lines.length === 0 ? '' : html`<ul>${lines.map((line) => html`<li>${line}</li>\n`)}</ul>\n`;
