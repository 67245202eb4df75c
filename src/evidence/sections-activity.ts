/** What was stopped, what looked like a leak, what was new, and where the log itself has gaps. */
import { html, type Markup } from './markup.ts';
import { type Column, mark, number, plural, section, span, table, time, words } from './page-parts.ts';
import type { EvidenceReport } from './report.ts';

export const activitySections = (report: EvidenceReport): Markup =>
  html`${denied(report)}${alarms(report)}${firstSeen(report)}${gaps(report)}${configuration(report)}`;

const QUERIES: Column<{ readonly queries: number }> = {
  title: 'Queries',
  kind: 'number',
  cell: ({ queries }) => number(queries),
};
const SPAN: Column<{ readonly first: string; readonly last: string }> = {
  title: 'First, last',
  kind: 'time',
  cell: span,
};

function denied({ denied: list, summary }: EvidenceReport): Markup {
  return section(
    'denied',
    'Denied destinations',
    html`<p>${plural(list.destinations, 'destination')} by registrable domain: ${plural(summary.denied, 'query', 'queries')} denied, ${number(summary.observed)} answered for groups that only observe.</p>
${table(
  list,
  [
    { title: 'Domain', kind: 'name', cell: ({ domain }) => domain },
    QUERIES,
    { title: 'Of these answered', kind: 'number', cell: ({ observed }) => number(observed) },
    { title: 'Groups', kind: 'text', cell: ({ groups }) => words(groups) },
    { title: 'Cause', kind: 'text', cell: ({ causes }) => words(causes) },
    { title: 'Names, for example', kind: 'name', cell: ({ names }) => names.join(', ') },
    SPAN,
  ],
  'Nothing was denied.',
)}`,
  );
}

function alarms({ alarms: list, summary }: EvidenceReport): Markup {
  return section(
    'alarms',
    'Tunnel alarms',
    html`<p>Names that looked like a data channel: ${plural(summary.alarms, 'pair of client and domain', 'pairs of client and domain')}, ${plural(summary.alarmQueries, 'query', 'queries')}. The last column leads to the first record: <code>worker/seq</code>.</p>
${table(
  list,
  [
    { title: 'Domain', kind: 'name', cell: ({ domain }) => domain },
    { title: 'Client', kind: 'name', cell: ({ client }) => client },
    { title: 'Group', kind: 'text', cell: ({ group }) => group },
    QUERIES,
    {
      title: 'Denied',
      kind: 'number',
      cell: ({ denied: count, queries }) =>
        count < queries ? html`${number(count)} ${mark('answered', 'warn')}` : number(count),
    },
    {
      title: 'Evidence',
      kind: 'text',
      cell: ({ evidence }) => evidence.map((line, i) => (i === 0 ? line : html`<br>${line}`)),
    },
    SPAN,
    { title: 'Record', kind: 'number', cell: ({ worker, seq }) => `${worker}/${seq}` },
  ],
  'The detector raised no alarm.',
)}`,
  );
}

function firstSeen({ firstSeen: list }: EvidenceReport): Markup {
  const since =
    list.knownSince === null
      ? 'The log holds nothing from before the period, so every destination counts as new.'
      : `New means: not asked since ${time(list.knownSince)}, where the log begins.`;
  const forgotten =
    list.historyOmitted === 0
      ? ''
      : ` ${number(list.historyOmitted)} earlier queries were for destinations too many to remember; some rows may not be new.`;
  return section(
    'firstSeen',
    'First-seen destinations',
    html`<p>${plural(list.destinations, 'registrable domain')} to which queries left for the first time. ${since}${forgotten}</p>
${table(
  list,
  [
    { title: 'Domain', kind: 'name', cell: ({ domain }) => domain },
    { title: 'First', kind: 'time', cell: ({ first }) => time(first) },
    QUERIES,
    { title: 'Groups', kind: 'text', cell: ({ groups }) => words(groups) },
    { title: 'Rules', kind: 'name', cell: ({ rules }) => words(rules) },
  ],
  'No destination was new.',
)}`,
  );
}

function gaps({ gaps: list }: EvidenceReport): Markup {
  return section(
    'gaps',
    'Gaps and refusals',
    html`<p>${plural(list.refused, 'query was', 'queries were')} refused because they could not be recorded; ${number(list.lost)} answered without a record (mode <code>open</code>).</p>
<h3>What the log says of itself</h3>
${table(
  list,
  [
    { title: 'Time', kind: 'time', cell: (row) => time(row.time) },
    { title: 'Type', kind: 'plain', cell: ({ type }) => mark(type, type === 'retired' ? 'plain' : 'warn') },
    { title: 'What', kind: 'text', cell: ({ members }) => members },
    { title: 'Record', kind: 'number', cell: ({ worker, seq }) => `${worker}/${seq}` },
  ],
  'No gap, no recovery, no retirement in the period.',
)}
<h3>Queries refused, failed or limited</h3>
${table(
  list.refusals,
  [
    { title: 'Verdict', kind: 'plain', cell: ({ verdict }) => verdict },
    { title: 'Cause', kind: 'plain', cell: ({ cause }) => cause },
    QUERIES,
    SPAN,
  ],
  'None.',
)}`,
  );
}

function configuration({ configuration: known }: EvidenceReport): Markup {
  const { auditMode, retentionDays, clients, detector } = known;
  return section(
    'configuration',
    'Configuration',
    html`<p>Audit mode <code>${auditMode}</code>; entries kept ${plural(retentionDays, 'day')}; client addresses: ${clients}. Detector: ${detector}. ${plural(known.denyRules, 'deny rule')}.</p>
${table(
  { rows: known.groups, omitted: 0, uncounted: 0 },
  [
    { title: 'Group', kind: 'name', cell: ({ name }) => name },
    {
      title: 'Mode',
      kind: 'plain',
      cell: ({ mode }) => (mode === 'observe' ? mark('observes: nothing is denied', 'warn') : 'enforces'),
    },
    { title: 'Sets', kind: 'text', cell: ({ sets }) => sets.join(', ') },
  ],
  'There is no group.',
)}
${table(
  { rows: known.upstreams, omitted: 0, uncounted: 0 },
  [
    { title: 'Upstream pool', kind: 'name', cell: ({ pool }) => pool },
    {
      title: 'Servers',
      kind: 'name',
      cell: ({ servers }) =>
        servers.map(
          ({ server, encrypted }, i) =>
            html`${i === 0 ? '' : html`<br>`}${server} ${encrypted ? mark('encrypted', 'good') : ''}`,
        ),
    },
  ],
  '',
)}
${table(
  { rows: known.policyFiles, omitted: 0, uncounted: 0 },
  [
    { title: 'Policy file', kind: 'name', cell: ({ file }) => file },
    { title: 'SHA-256', kind: 'name', cell: ({ sha256 }) => sha256 },
  ],
  '',
)}`,
  );
}
