/**
 * The report as one page that needs nothing else: no script, no image, no font, no request. The policy in its head says so
 * to the browser, which holds it to that whatever the log contains.
 */
import { createHash } from 'node:crypto';
import { html, Markup, type Piece } from './markup.ts';
import { bullets, number, plural, time } from './page-parts.ts';
import type { EvidenceReport } from './report.ts';
import { integritySection } from './section-integrity.ts';
import { activitySections } from './sections-activity.ts';
import { policySections } from './sections-policy.ts';
import { STYLE } from './style.ts';

export function renderPage(report: EvidenceReport): string {
  // The style is known before, so the browser is told its hash and applies no other.
  const styleHash = createHash('sha256').update(STYLE).digest('base64');
  const csp = `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; form-action 'none'`;
  const { from, to } = report.period;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Evidence ${from.slice(0, 10)} to ${to.slice(0, 10)}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<main>
${head(report)}${contents}
${integritySection(report)}${policySections(report)}${activitySections(report)}${foot(report)}</main>
</body>
</html>
`.text;
}

function head(report: EvidenceReport): Markup {
  const { period, summary, integrity, createdAt } = report;
  const figures: readonly (readonly [string, number])[] = [
    ['Queries recorded', summary.queries],
    ['Denied', summary.denied],
    ['Answered, would be denied', summary.observed],
    ['Tunnel alarms', summary.alarms],
    ['First-seen destinations', report.firstSeen.destinations],
    ['Allow rules', report.allowList.rules],
    ['Exceptions', report.exceptions.granted],
    ['Unused rules', report.unused.rows.length + report.unused.omitted],
  ];
  const verdict = integrity.ok
    ? html`<div class="verdict good"><p><strong>The log is whole</strong>, as far as it was checked: see <a href="#integrity">Integrity</a> for what was and what was not.</p></div>`
    : html`<div class="verdict bad"><p><strong>The log is NOT whole</strong> (${plural(integrity.faults.rows.length + integrity.faults.omitted, 'fault')}${integrity.unread === null ? '' : '; not every record could be read'}). Figures below rest on records that may have been changed.</p></div>`;
  return html`<header>
<h1>Evidence of filtered egress</h1>
<p>${time(period.from)} to ${time(period.to)}${period.isOver ? '' : ' (not over yet)'}. All times are UTC.</p>
<p class="faint">Made ${time(createdAt)} by ${report.generator} from the audit in <code>${report.audit}</code>. Rules are those in force when it was made.</p>
</header>
${verdict}
<dl class="figures">${figures.map(([title, value]) => html`<div><dt>${title}</dt><dd>${number(value)}</dd></div>`)}</dl>
<p class="faint">Records from ${time(summary.first)} to ${time(summary.last)}. By verdict: ${verdicts(report)}.</p>
`;
}

const verdicts = ({ summary }: EvidenceReport): Piece =>
  summary.verdicts.length === 0
    ? 'none'
    : summary.verdicts.map(({ word, count }) => `${word} ${number(count)}`).join(', ');

const SECTIONS: readonly (readonly [string, string])[] = [
  ['integrity', 'Integrity of the log'],
  ['allowList', 'Allow list'],
  ['processors', 'Processors and countries'],
  ['exceptions', 'Exceptions'],
  ['unused', 'Rules never used'],
  ['denied', 'Denied destinations'],
  ['alarms', 'Tunnel alarms'],
  ['firstSeen', 'First-seen destinations'],
  ['gaps', 'Gaps and refusals'],
  ['configuration', 'Configuration'],
];

const contents = html`<nav aria-label="Contents"><ol>${SECTIONS.map(([id, title]) => html`<li><a href="#${id}">${title}</a></li>`)}</ol></nav>`;

function foot({ signer }: EvidenceReport): Markup {
  const signed =
    signer === null
      ? 'This report is not signed.'
      : `The JSON file beside this page holds its SHA-256 and is signed (Ed25519). The signature names the key ${signer}; check it with a key that you have from elsewhere: sallyport evidence verify FILE.json --key KEY.`;
  return html`<section>
<h2>About this report</h2>
${bullets([
  signed,
  'Control ids are given without the texts of the standards. Which of them a section satisfies is for the auditor to say.',
  'It may hold client addresses, as the log keeps them: treat it as personal data.',
])}</section>
`;
}
