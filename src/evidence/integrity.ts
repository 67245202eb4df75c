/** What the check of the log has shown, and as plainly what it has not. */
import type { AuditReport, Fault } from '../audit/index.ts';
import { type Listing, listing } from './bounded-table.ts';

const FAULTS_MAX = 200;

export interface Integrity {
  /** Nothing was found changed or missing, and every record of the period could be read. */
  readonly ok: boolean;
  readonly workers: AuditReport['workers'];
  readonly faults: Listing<Fault>;
  readonly remarks: readonly string[];
  /** Where reading the records stopped, in words; null when all were read. */
  readonly unread: string | null;
  readonly verified: readonly string[];
  readonly notVerified: readonly string[];
}

export interface IntegritySources {
  readonly report: AuditReport;
  /** Begin of the period, milliseconds since 1970. */
  readonly fromMs: number;
  readonly hasKeys: boolean;
  readonly checkpointCount: number;
  readonly unread: string | null;
}

export function integrityOf({
  report,
  fromMs,
  hasKeys,
  checkpointCount,
  unread,
}: IntegritySources): Integrity {
  const { workers, faults, remarks } = report;
  const records = workers.reduce(
    (sum, { firstRecord, lastRecord }) => sum + spanOf(firstRecord, lastRecord),
    0,
  );
  const segments = workers.reduce((sum, one) => sum + one.segments, 0);
  const checkpoints = workers.reduce((sum, one) => sum + one.checkpoints, 0);
  const uncovered = workers.reduce((sum, one) => sum + Math.max(0, one.lastRecord - one.lastSigned), 0);
  const verified = [
    `Every octet of the log was hashed and compared with the tree that its signed checkpoints state, and records are numbered without a hole: workers ${workers.length}, segments ${segments}, checkpoints ${checkpoints}, records ${records} (of the whole log, not of the period alone).`,
    ...(hasKeys ? ['The chain of signing keys begins with the trusted key that was given with --key.'] : []),
    ...(checkpointCount > 0
      ? [
          `The log agrees with the checkpoints kept elsewhere that were given with --checkpoint (lines: ${checkpointCount}). Nothing up to the newest of them is missing.`,
        ]
      : []),
  ];
  const notVerified = [
    ...(hasKeys
      ? []
      : [
          'No trusted key was given (--key): signatures were checked against the key that the log itself names. A log replaced as a whole, with keys of its own, would look the same.',
        ]),
    ...(checkpointCount > 0
      ? []
      : [
          'No checkpoint kept elsewhere was given (--checkpoint): that the newest records were cut off cannot be excluded. The *.head files lie beside the log and could have been cut with it.',
        ]),
    ...beginning(workers, fromMs),
    ...(uncovered > 0 ? [`The last ${uncovered} records are covered by no signed checkpoint yet.`] : []),
    'That the server recorded what it did. The log shows that records were not changed after they were written.',
    'That no client reached another resolver: what did not ask here is not here.',
  ];
  return {
    ok: report.ok && unread === null,
    workers,
    faults: listing(faults, FAULTS_MAX),
    remarks,
    unread,
    // What a faulty log was checked against proves nothing any more.
    verified: report.ok ? verified : [],
    notVerified: report.ok
      ? notVerified
      : [
          'The log is not whole. Figures of this report rest on records that may have been changed.',
          ...notVerified,
        ],
  };
}

/** What of the period is before the log. */
function beginning(workers: AuditReport['workers'], fromMs: number): string[] {
  const since = workers.map((one) => one.since).filter((text) => text !== '');
  const [first] = since.sort();
  if (first === undefined || Date.parse(first) <= fromMs) return [];
  return [
    `The period before ${first.slice(0, 19).replace('T', ' ')}, when the log that is here begins: what was recorded earlier was retired, or nothing was. Compare that with the retention in the configuration and with the day on which recording began.`,
  ];
}

const spanOf = (first: number, last: number): number => (last >= first && first > 0 ? last - first + 1 : 0);
