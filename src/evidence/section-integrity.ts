/** Whether the log is whole, said as carefully as it is known. */
import { html, type Markup } from './markup.ts';
import { bullets, mark, number, section, table, time } from './page-parts.ts';
import type { EvidenceReport } from './report.ts';

export function integritySection({ integrity }: EvidenceReport): Markup {
  const { workers, faults, remarks, unread, verified, notVerified, ok } = integrity;
  return section(
    'integrity',
    'Integrity of the log',
    html`<p>${ok ? mark('whole', 'good') : mark('not whole', 'bad')}</p>
${unread === null ? '' : html`<p>Reading stopped: ${unread}. Records behind that place are not in this report.</p>`}
${verified.length === 0 ? '' : html`<h3>What was verified</h3>\n${bullets(verified)}`}
<h3>What was not verified</h3>
${bullets(notVerified)}
${
  faults.rows.length === 0
    ? ''
    : html`<h3>Faults</h3>
${table(
  faults,
  [
    { title: 'File', kind: 'name', cell: ({ file }) => file },
    { title: 'Line', kind: 'number', cell: ({ line }) => number(line) },
    { title: 'Octet', kind: 'number', cell: ({ offset }) => number(offset) },
    { title: 'What', kind: 'text', cell: ({ what }) => what },
  ],
  '',
)}`
}${remarks.length === 0 ? '' : html`<h3>Remarks of the check</h3>\n${bullets(remarks)}`}
<h3>Logs</h3>
${table(
  { rows: workers, omitted: 0, uncounted: 0 },
  [
    { title: 'Worker', kind: 'number', cell: ({ worker }) => worker },
    { title: 'Segments', kind: 'number', cell: ({ segments }) => number(segments) },
    { title: 'Since', kind: 'time', cell: ({ since }) => time(since) },
    { title: 'First record', kind: 'number', cell: ({ firstRecord }) => number(firstRecord) },
    { title: 'Last record', kind: 'number', cell: ({ lastRecord }) => number(lastRecord) },
    { title: 'Last signed', kind: 'number', cell: ({ lastSigned }) => number(lastSigned) },
    { title: 'Checkpoints', kind: 'number', cell: ({ checkpoints }) => number(checkpoints) },
    {
      title: 'Last checkpoint',
      kind: 'time',
      cell: ({ lastCheckpoint }) => time(lastCheckpoint?.time ?? null),
    },
    { title: 'Root of the tree', kind: 'name', cell: ({ root }) => root },
    { title: 'First key', kind: 'name', cell: ({ firstKey }) => firstKey },
  ],
  'There is no log.',
)}`,
  );
}
