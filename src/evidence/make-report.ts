/** Joins policy, settings, log and its check into one report. Reads no file and no clock: the same sources, the same report. */
import type { AuditReport } from '../audit/index.ts';
import type { Settings } from '../config/index.ts';
import type { GroupDescription, RuleDescription } from '../policy/index.ts';
import type { Activity } from './activity.ts';
import { byText, listing } from './bounded-table.ts';
import { CONTROLS } from './controls.ts';
import { integrityOf } from './integrity.ts';
import type { Configuration, EvidenceReport } from './report.ts';
import { LISTED_MAX, ruleSections } from './rules.ts';

export interface ReportSources {
  readonly version: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly nowMs: number;
  readonly auditDirectory: string;
  readonly settings: Settings;
  readonly groups: readonly GroupDescription[];
  readonly rules: readonly RuleDescription[];
  readonly policyFiles: readonly { readonly file: string; readonly sha256: string }[];
  /** Of the whole log up to `toMs`. */
  readonly activity: Activity;
  readonly check: AuditReport;
  /** Whether trusted keys were given to the check, and how many checkpoints kept elsewhere. */
  readonly hasKeys: boolean;
  readonly checkpointCount: number;
  /** Why reading the records stopped, or null. */
  readonly unread: string | null;
  readonly signer: string | null;
}

interface Counted {
  readonly queries: number;
  readonly domain: string;
}

const byQueries = (left: Counted, right: Counted): number =>
  right.queries - left.queries || byText(left.domain, right.domain);

export function makeReport(sources: ReportSources): EvidenceReport {
  const { activity, fromMs, toMs, nowMs, check, hasKeys, checkpointCount, unread } = sources;
  const denied = activity.denied.list(LISTED_MAX, byQueries);
  const firstSeen = activity.firstSeen.list(
    LISTED_MAX,
    (left, right) => byText(left.first, right.first) || byText(left.domain, right.domain),
  );
  const from = iso(fromMs);
  return {
    format: 'sallyport evidence 1',
    generator: `sallyport ${sources.version}`,
    createdAt: iso(nowMs),
    period: { from, to: iso(toMs), isOver: toMs <= nowMs },
    signer: sources.signer,
    audit: sources.auditDirectory,
    summary: {
      queries: activity.queries,
      first: activity.first || null,
      last: activity.last || null,
      verdicts: activity.verdicts.entries,
      denied: activity.denials,
      observed: activity.observed,
      alarms: activity.alarms.size,
      alarmQueries: activity.alarmQueries,
    },
    integrity: integrityOf({ report: check, fromMs, hasKeys, checkpointCount, unread }),
    ...ruleSections(sources.rules, activity, { fromMs, toMs, nowMs }),
    denied: {
      ...denied,
      rows: denied.rows.map((row) => ({
        ...row,
        groups: row.groups.entries,
        causes: row.causes.entries,
      })),
      destinations: activity.denied.size,
    },
    alarms: activity.alarms.list(
      LISTED_MAX,
      (left, right) => byQueries(left, right) || byText(left.client, right.client),
    ),
    firstSeen: {
      ...firstSeen,
      rows: firstSeen.rows.map((row) => ({ ...row, groups: row.groups.entries, rules: row.rules.entries })),
      destinations: activity.firstSeen.size,
      knownSince: activity.historyFirst !== '' && activity.historyFirst < from ? activity.historyFirst : null,
      historyOmitted: activity.historyOmitted,
    },
    gaps: {
      ...listing(activity.notes, LISTED_MAX),
      omitted: Math.max(0, activity.notes.length - LISTED_MAX) + activity.notesOmitted,
      types: activity.noteTypes.entries,
      refused: activity.refusedWithoutRecord,
      lost: activity.lostRecords,
      refusals: activity.refusals.list(
        LISTED_MAX,
        (left, right) => right.queries - left.queries || byText(left.cause, right.cause),
      ),
    },
    configuration: configurationOf(sources),
    controls: CONTROLS,
  };
}

/** What an auditor has to know of the settings. Chosen one by one: secrets and paths of keys stay out. */
function configurationOf({ settings, groups, rules, policyFiles }: ReportSources): Configuration {
  const { audit, detect, upstreams } = settings;
  return {
    policyFiles,
    groups: groups.map(({ name, mode, sets }) => ({ name, mode, sets })),
    denyRules: rules.filter(({ action }) => action === 'deny').length,
    auditMode: audit.mode,
    retentionDays: audit.retention.age / 86_400_000,
    clients: audit.clients,
    detector: detect.enabled ? `on, profile ${detect.profile}, an alarm means ${detect.action}` : 'off',
    upstreams: Object.entries(upstreams).map(([pool, { servers }]) => ({
      pool,
      servers: servers.map((server) => ({
        server: server.text,
        encrypted: server.transport === 'tls' || server.transport === 'https',
      })),
    })),
  };
}

const iso = (atMs: number): string => new Date(atMs).toISOString();
