/** The report as data: what the JSON file holds, and what the page is made of. Times are ISO 8601, UTC. */
import type { Alarm, Destination, FirstSeen, NoteRow, Refusal } from './activity.ts';
import type { Listing, WordCount } from './bounded-table.ts';
import type { CONTROLS } from './controls.ts';
import type { Integrity } from './integrity.ts';
import type { RuleSections } from './rules.ts';

/** Tallies by word as lists, most frequent first. */
type Tallied<Row, Names extends keyof Row> = Omit<Row, Names> & Readonly<Record<Names, readonly WordCount[]>>;
type DestinationRow = Tallied<Destination, 'groups' | 'causes'>;
type FirstSeenRow = Tallied<FirstSeen, 'groups' | 'rules'>;

export interface EvidenceReport extends RuleSections {
  readonly format: 'sallyport evidence 1';
  readonly generator: string;
  /** When it was made; rules have ended or not as of this moment. */
  readonly createdAt: string;
  /** From, and before. `isOver`: it was when the report was made. */
  readonly period: { readonly from: string; readonly to: string; readonly isOver: boolean };
  /** Public key of the signature, 64 hex digits; null: not signed. It proves nothing by standing here. */
  readonly signer: string | null;
  readonly audit: string;
  readonly summary: {
    readonly queries: number;
    readonly first: string | null;
    readonly last: string | null;
    readonly verdicts: readonly WordCount[];
    readonly denied: number;
    readonly observed: number;
    readonly alarms: number;
    readonly alarmQueries: number;
  };
  readonly integrity: Integrity;
  readonly denied: Listing<DestinationRow> & { readonly destinations: number };
  readonly alarms: Listing<Alarm>;
  readonly firstSeen: Listing<FirstSeenRow> & {
    readonly destinations: number;
    /** Since when the log could tell; null when it holds nothing from before the period. */
    readonly knownSince: string | null;
    /** Destinations from before the period that were too many to remember. */
    readonly historyOmitted: number;
  };
  readonly gaps: Listing<NoteRow> & {
    readonly types: readonly WordCount[];
    readonly refused: number;
    readonly lost: number;
    readonly refusals: Listing<Refusal>;
  };
  readonly configuration: Configuration;
  readonly controls: typeof CONTROLS;
}

export interface Configuration {
  readonly policyFiles: readonly { readonly file: string; readonly sha256: string }[];
  readonly groups: readonly {
    readonly name: string;
    readonly mode: 'enforce' | 'observe';
    readonly sets: readonly string[];
  }[];
  readonly denyRules: number;
  readonly auditMode: string;
  readonly retentionDays: number;
  readonly clients: string;
  readonly detector: string;
  readonly upstreams: readonly {
    readonly pool: string;
    readonly servers: readonly { readonly server: string; readonly encrypted: boolean }[];
  }[];
}

/** What JSON would leave as it is and a terminal or an editor would obey. */
const UNREADABLE = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;

/** The JSON file: `html` is the page that belongs to it. */
export function reportText(
  report: EvidenceReport,
  html: { readonly file: string; readonly sha256: string } | null,
): string {
  const text = JSON.stringify(html === null ? report : { ...report, html }, null, 2);
  return `${text.replace(UNREADABLE, (character) =>
    [...Array(character.length).keys()]
      .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`)
      .join(''),
  )}\n`;
}
