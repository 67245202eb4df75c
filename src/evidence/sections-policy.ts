/** What may leave, who answers for it, to whom it goes, and for how long. */
import { basename } from 'node:path';
import { html, type Markup, type Piece } from './markup.ts';
import {
  type Column,
  day,
  mark,
  number,
  plural,
  section,
  span,
  type Tone,
  table,
  time,
} from './page-parts.ts';
import type { EvidenceReport } from './report.ts';
import type { ExceptionRow, ExceptionState, Processor, RuleRow } from './rules.ts';

export const policySections = (report: EvidenceReport): Markup =>
  html`${allowList(report)}${processors(report)}${exceptions(report)}${unused(report)}`;

const RULE: Column<RuleRow> = {
  title: 'Rule',
  kind: 'name',
  cell: ({ id, file, line }) => html`${id}<br><span class="faint">${basename(file)}:${line}</span>`,
};
const NAMES: Column<RuleRow> = {
  title: 'Names',
  kind: 'name',
  cell: ({ patterns, patternsOmitted, types }) =>
    html`${patterns.map((pattern, i) => (i === 0 ? pattern : html`<br>${pattern}`))}${
      patterns.length === 0 ? 'names of a list file' : ''
    }${patternsOmitted > 0 ? html`<br>and ${number(patternsOmitted)} more` : ''}${
      types === null ? '' : html`<br><span class="faint">${types.join(' ')}</span>`
    }`,
};
const REASON: Column<RuleRow> = { title: 'Reason', kind: 'text', cell: ({ reason }) => reason };
const OWNER: Column<RuleRow> = {
  title: 'Owner, ticket',
  kind: 'text',
  cell: ({ owner, ticket }) =>
    html`${owner ?? mark('no owner', 'warn')}${ticket === null ? '' : html`<br>${ticket}`}`,
};
const USED: Column<RuleRow> = { title: 'Queries', kind: 'number', cell: ({ queries }) => number(queries) };

function allowList({ allowList: list, createdAt }: EvidenceReport): Markup {
  return section(
    'allowList',
    'Allow list',
    html`<p>${plural(list.rules, 'rule says', 'rules say')} what may be asked; all else is denied in groups that enforce. ${number(list.withoutOwner)} without an owner, ${number(list.ended)} past their end.</p>
${table(
  list,
  [
    RULE,
    NAMES,
    REASON,
    OWNER,
    { title: 'Ends', kind: 'time', cell: ({ expires }) => ends(expires, createdAt) },
    {
      title: 'Processor',
      kind: 'text',
      cell: ({ processor }) =>
        processor === null ? '–' : html`${processor.name}, ${processor.country} ${outside(processor)}`,
    },
    USED,
  ],
  'The policy allows nothing.',
)}`,
  );
}

const ends = (expires: string | null, now: string): Piece =>
  expires !== null && expires <= now ? html`${day(expires)} ${mark('ended', 'plain')}` : day(expires);

const outside = ({ outsideEea }: Processor): Piece => (outsideEea ? mark('outside the EEA', 'warn') : '');

function processors({ processors: list }: EvidenceReport): Markup {
  return section(
    'processors',
    'Processors and countries',
    html`<p>Who processes what is sent to the allowed names, as the policy states it. ${number(list.outsideEea)} outside the European Economic Area: whether an adequacy decision or safeguards cover the transfer is for the controller to show. ${number(list.withoutAgreement)} without an agreement named; ${plural(list.rulesWithout, 'allow rule names', 'allow rules name')} no processor.</p>
${table(
  list,
  [
    { title: 'Processor', kind: 'text', cell: ({ name }) => name },
    { title: 'Country', kind: 'plain', cell: (row) => html`${row.country} ${outside(row)}` },
    {
      title: 'Agreement',
      kind: 'text',
      cell: ({ agreement }) => agreement ?? mark('none named', 'warn'),
    },
    {
      title: 'Rules',
      kind: 'name',
      cell: ({ rules, rulesOmitted }) =>
        `${rules.join(', ')}${rulesOmitted > 0 ? ` and ${number(rulesOmitted)} more` : ''}`,
    },
    { title: 'Queries', kind: 'number', cell: ({ queries }) => number(queries) },
  ],
  'No rule names a processor.',
)}`,
  );
}

const STATE_TONES: Readonly<Record<ExceptionState, Tone>> = {
  'ended before the period': 'plain',
  ended: 'plain',
  'ends within 14 days': 'warn',
  'in force': 'good',
};

function exceptions({ exceptions: list }: EvidenceReport): Markup {
  const columns: readonly Column<ExceptionRow>[] = [
    RULE,
    NAMES,
    REASON,
    OWNER,
    { title: 'Ends', kind: 'time', cell: ({ expires }) => time(expires) },
    { title: 'State', kind: 'plain', cell: ({ state }) => mark(state, STATE_TONES[state]) },
    USED,
    { title: 'Denied since', kind: 'number', cell: ({ queriesAfterEnd }) => number(queriesAfterEnd) },
  ];
  return section(
    'exceptions',
    'Exceptions',
    html`<p>Rules that end by themselves. Granted: ${number(list.granted)}. Used in the period: ${number(list.used)}. Ended: ${number(list.ended)}, of these in the period ${number(list.endedInPeriod)}. Ending within 14 days of this report: ${number(list.ending)}. When each was granted stands in the history of the policy files and in its ticket. Exceptions that were removed from the files since are below, under the rules that this policy does not have.</p>
${table(list, columns, 'The policy has no rule that ends.')}`,
  );
}

function unused({ unused: list, unknown, summary }: EvidenceReport): Markup {
  return section(
    'unused',
    'Rules never used',
    html`<p>Rules of this policy that decided no query of the period (${number(summary.queries)} recorded): candidates for removal.</p>
${table(list, [RULE, { title: 'Action', kind: 'plain', cell: ({ action }) => action }, NAMES, REASON, OWNER], 'Every rule was used.')}
<h3>Rules of the log that this policy does not have</h3>
<p class="faint">They decided queries in the period, and were changed, moved or removed before this report was made.</p>
${table(
  unknown,
  [
    { title: 'Rule', kind: 'name', cell: ({ rule }) => rule },
    { title: 'Reason recorded', kind: 'text', cell: ({ reason }) => reason },
    { title: 'Queries', kind: 'number', cell: ({ queries }) => number(queries) },
    { title: 'First, last', kind: 'time', cell: span },
  ],
  'None: every rule that the log names is in this policy, with the same reason.',
)}`,
  );
}
