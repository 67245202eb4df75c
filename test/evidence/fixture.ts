/** A log and a policy in which every section of the report has something to say. Dates are fixed; clients are documentation addresses. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemDisk } from '../../src/audit/disk.ts';
import type { DetailFields, Disk, OutcomeFields } from '../../src/audit/index.ts';
import { nameOctets } from '../../src/wire/index.ts';
import { entryFor, openTest, write } from '../audit/fixture.ts';

export const FROM = '2026-11-01T00:00:00.000Z';
export const TO = '2026-11-20T00:00:00.000Z';
export const NOW = Date.parse('2026-11-21T12:00:00.000Z');

export const HOSTILE_REASON = `<script>alert("reason")</script>`;
export const HOSTILE_EVIDENCE = `<svg onload=alert(1)> & '\u202e\u001b[2J`;
/** A label may hold any octet. */
export const HOSTILE_NAME = '<img\\032src=x\\032onerror=alert(1)>.hostile-"quoted".example';

const POLICY = `
sets:
  base:
    reason: Builds install packages.
    owner: platform@example.com
    allow:
      - registry.npmjs.org
      - name: api.example.com
        ticket: NET-1
        processor: {name: 'Api Example, Inc.', country: US}
      - name: pay.example.org
        processor: {name: Pay Example Ltd, country: IE, agreement: DPA 2026-01}
      - name: never.example.net
        reason: '${HOSTILE_REASON}'
  exceptions:
    reason: A migration.
    allow:
      - {name: old.example.com, expires: 2026-10-01}
      - {name: ended.example.com, expires: 2026-11-10, ticket: NET-2}
      - {name: soon.example.com, expires: 2026-11-30}
      - {name: later.example.com, expires: 2027-06-30}
    deny:
      - +.exfil.example.net
groups:
  ci: {clients: [192.0.2.0/25], sets: [base, exceptions]}
  lab: {clients: [192.0.2.128/25], sets: [base], mode: observe}
`;

export interface Case {
  readonly directory: string;
  readonly audit: string;
  readonly config: string;
}

/** Writes settings and policy into `directory`; the log goes to `audit` in it. */
export function writeSettings(directory: string, policy = POLICY): Case {
  const config = join(directory, 'sallyport.yaml');
  writeFileSync(join(directory, 'policy.yaml'), policy);
  writeFileSync(config, 'policies: [policy.yaml]\naudit: {directory: audit}\n');
  return { directory, audit: join(directory, 'audit'), config };
}

interface Row {
  readonly at: string;
  readonly name: string;
  readonly count: number;
  readonly outcome: Partial<OutcomeFields>;
  readonly detail?: DetailFields;
}

const allow = (rule: string, reason = 'Builds install packages.'): Partial<OutcomeFields> => ({
  rule,
  reason,
});
const MIGRATION = 'A migration.';

const ROWS: readonly Row[] = [
  { at: '2026-10-20T08:00:00Z', name: 'registry.npmjs.org', count: 2, outcome: allow('base/allow/0') },
  { at: '2026-11-02T08:00:00Z', name: 'registry.npmjs.org', count: 10, outcome: allow('base/allow/0') },
  { at: '2026-11-03T08:00:00Z', name: 'api.example.com', count: 3, outcome: allow('base/allow/1') },
  { at: '2026-11-04T08:00:00Z', name: 'pay.example.org', count: 1, outcome: allow('base/allow/2') },
  {
    at: '2026-11-05T08:00:00Z',
    name: 'ended.example.com',
    count: 2,
    outcome: allow('exceptions/allow/1', MIGRATION),
  },
  {
    at: '2026-11-12T08:00:00Z',
    name: 'ended.example.com',
    count: 4,
    outcome: { verdict: 'deny', cause: 'expired', rule: 'exceptions/allow/1', reason: MIGRATION },
  },
  {
    at: '2026-11-13T08:00:00Z',
    name: 'a.evil.co.uk',
    count: 5,
    outcome: { verdict: 'deny', cause: 'not-listed' },
  },
  {
    at: '2026-11-13T09:00:00Z',
    name: 'b.evil.co.uk',
    count: 1,
    outcome: { verdict: 'deny', cause: 'not-listed' },
  },
  {
    at: '2026-11-13T10:00:00Z',
    name: 'a.evil.co.uk',
    count: 2,
    outcome: { verdict: 'observe', cause: 'not-listed', group: 'lab', observed: true },
  },
  {
    at: '2026-11-13T11:00:00Z',
    name: HOSTILE_NAME,
    count: 1,
    outcome: { verdict: 'deny', cause: 'not-listed' },
  },
  {
    at: '2026-11-14T08:00:00Z',
    name: 'aaaabbbbcccc.tunnel.example.biz',
    count: 3,
    outcome: { verdict: 'deny', cause: 'tunnel' },
    detail: { evidence: ['812 octets in 40 names within 60 s', HOSTILE_EVIDENCE] },
  },
  {
    at: '2026-11-15T08:00:00Z',
    name: 'soon.example.com',
    count: 1,
    outcome: allow('exceptions/allow/2', MIGRATION),
  },
];

const ROWS_AFTER_GAP: readonly Row[] = [
  {
    at: '2026-11-17T08:00:00Z',
    name: 'www.example.com',
    count: 2,
    outcome: { verdict: 'refuse', cause: 'client', group: null },
  },
  {
    at: '2026-11-17T09:00:00Z',
    name: 'registry.npmjs.org',
    count: 1,
    outcome: { verdict: 'fail', cause: 'timeout' },
  },
  {
    at: '2026-11-18T08:00:00Z',
    name: 'gone.example.dev',
    count: 1,
    outcome: allow('base/allow/9', 'Removed since.'),
  },
  { at: '2026-11-20T08:00:00Z', name: 'late.example.com', count: 7, outcome: allow('base/allow/1') },
];

/** Of the period: what the rows above add up to. */
export const QUERIES = 37;

export async function makeLog({ audit }: Case): Promise<void> {
  mkdirSync(audit, { recursive: true });
  let nowMs = Date.parse('2026-10-20T08:00:00Z');
  const disk: Disk & { isBroken: boolean } = {
    ...systemDisk,
    isBroken: false,
    write: (fd, octets, at, length) => {
      if (disk.isBroken) throw Object.assign(new Error('EIO: made to fail'), { code: 'EIO' });
      return systemDisk.write(fd, octets, at, length);
    },
  };
  const log = openTest({ directory: audit, worker: 0, disk, wallMs: () => nowMs, segmentAgeMs: 1e12 });
  const append = ({ at, name, count, outcome, detail }: Row): boolean => {
    nowMs = Date.parse(at);
    const entry = entryFor(log, nameOctets(name));
    entry.atMs = nowMs;
    entry.outcome = log.renderOutcome({
      group: 'ci',
      verdict: 'allow',
      cause: null,
      rule: null,
      reason: null,
      ede: null,
      observed: false,
      ...outcome,
    });
    entry.detail = detail === undefined ? null : log.renderDetail(detail);
    return write(log, entry, count);
  };
  for (const row of ROWS) if (!append(row)) throw new Error(`${row.name} was not kept`);
  disk.isBroken = true;
  const lost = { ...ROWS[0], at: '2026-11-16T08:00:00Z', count: 2 };
  if (append(lost)) throw new Error('a broken disk kept a record');
  disk.isBroken = false;
  for (let waited = 0; !log.healthy; waited += 10) {
    if (waited > 5000) throw new Error('the log did not recover within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  for (const row of ROWS_AFTER_GAP) if (!append(row)) throw new Error(`${row.name} was not kept`);
  await log.close();
}
