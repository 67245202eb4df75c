/** Reads a list file of any format, and decides what its bad lines mean for the list as a whole. */
import { nameText } from '../wire/index.ts';
import { EntryKind } from './layout.ts';
import { LineReader, type ListedName, type ReportLine } from './list-reader.ts';
import { printable } from './printable.ts';
import type { ListFault, ListSource } from './source.ts';
import { ZoneListReader } from './zone-list-reader.ts';

export interface ListSummary {
  /** Id of the list's rule. */
  readonly rule: string;
  readonly file: string;
  /** Names read, repeated ones counted again. */
  readonly names: number;
  /** Lines or words that could not be read. */
  readonly badLines: number;
  /** Faults counted but not listed, because a list reports at most FAULTS_PER_LIST_MAX of them. */
  readonly faultsOmitted: number;
  /** Records of a response policy zone that are not done here, by what they are. */
  readonly unsupported: Readonly<Record<string, number>>;
}

/** More would bury the one that matters. */
export const FAULTS_PER_LIST_MAX = 20;

const FAULT_TEXT_MAX = 200;

/** A list of which this share or more cannot be read is taken to be of another format. */
const BAD_SHARE_MAX = 0.1;

type JudgeWildcard = (name: string) => Pick<ListFault, 'severity' | 'problem' | 'instead'> | null;

/**
 * Hands every name of a list to `take` and appends what is wrong to `faults`.
 *
 * One bad line is a warning, in deny lists too: a feed with one broken line still protects from the rest, and refusing
 * it would leave yesterday's feed in force. A list without any name, or with so many bad lines that its format must be
 * another, is an error: most likely a download cut short, and nobody would notice what it no longer denies.
 */
export function readList(
  list: ListSource,
  judgeWildcard: JudgeWildcard | undefined,
  faults: ListFault[],
  take: (listed: ListedName) => void,
): ListSummary {
  const { file, action, id } = list.description;
  let names = 0;
  let badLines = 0;
  let reported = 0;
  const add = (fault: ListFault): void => {
    if (fault.severity === 'error' || reported++ < FAULTS_PER_LIST_MAX) faults.push(fault);
  };
  const report: ReportLine = (line, problem, instead) => {
    badLines++;
    add({
      severity: 'warning',
      file,
      line,
      problem: printable(problem, FAULT_TEXT_MAX),
      instead: printable(instead, FAULT_TEXT_MAX),
    });
  };
  const reader = openList(list, report);
  const mustGuard = action === 'allow' && judgeWildcard !== undefined;
  while (reader.next()) {
    if (mustGuard && reader.kind !== EntryKind.EXACT) {
      const fault = judgeWildcard(nameText(reader.name));
      if (fault !== null) {
        add({ ...fault, file, line: reader.line });
        if (fault.severity === 'error') continue;
      }
    }
    names++;
    take(reader);
  }
  const unsupported = reader instanceof ZoneListReader ? [...reader.unsupported] : [];
  for (const [what, count] of unsupported) {
    faults.push({ severity: 'warning', file, line: null, ...describeUnsupported(what, count, action) });
  }
  const whole = (problem: string, instead: string): void =>
    void faults.push({ severity: 'error', file, line: null, problem, instead });
  if (names === 0) {
    whole(
      `no name in it can be read as format ${list.format}`,
      'a file with at least one name, or remove the list',
    );
  } else if (badLines > 10 && badLines > BAD_SHARE_MAX * (names + badLines)) {
    whole(
      `${badLines} of ${names + badLines} lines cannot be read as format ${list.format}`,
      'format: names, hosts or rpz, whichever the file is',
    );
  }
  const faultsOmitted = Math.max(0, reported - FAULTS_PER_LIST_MAX);
  if (faultsOmitted > 0) {
    faults.push({
      severity: 'warning',
      file,
      line: null,
      problem: `${faultsOmitted} more lines are at fault`,
      instead: `correct the ${FAULTS_PER_LIST_MAX} that are listed and check again`,
    });
  }
  return { rule: id, file, names, badLines, faultsOmitted, unsupported: Object.fromEntries(unsupported) };
}

function openList(
  { octets, format, match, description }: ListSource,
  report: ReportLine,
): LineReader | ZoneListReader {
  if (format === 'rpz') return new ZoneListReader(octets, description.action === 'allow', report);
  return new LineReader(octets, format, match, report);
}

/** What a response policy zone has that is not done here, and what happens instead. */
function describeUnsupported(
  what: string,
  count: number,
  action: 'allow' | 'deny',
): Pick<ListFault, 'problem' | 'instead'> {
  if (what === 'data') {
    const effect =
      action === 'deny' ? 'the names are denied and the data is not served' : 'they allow nothing';
    return {
      problem:
        count === 1
          ? `1 record has data of its own; ${effect}`
          : `${count} records have data of their own; ${effect}`,
      instead: 'a zone under local: to serve data',
    };
  }
  if (what === 'rpz-tcp-only') {
    return {
      problem: `${count === 1 ? '1 record asks for TCP only and is' : `${count} records ask for TCP only and are`} left out`,
      instead: 'CNAME . to deny, or nothing',
    };
  }
  return {
    problem: `${count === 1 ? `1 trigger of kind ${what} is` : `${count} triggers of kind ${what} are`} left out; a forwarder cannot see what they look at`,
    instead: 'triggers on the name that is asked',
  };
}

/** How many names to expect of a list, and how many octets they may take, from one fast look at the file. */
export function estimateList({ octets, format, description }: ListSource): { names: number; octets: number } {
  let lines = 1;
  for (let at = octets.indexOf(10); at >= 0; at = octets.indexOf(10, at + 1)) lines++;
  // Each name takes as many octets as its text and two more; a line feed makes up for one of them.
  const length = octets.length + lines * 2;
  // Names above the allowed ones need slots too, though no octets.
  const names = description.action === 'allow' ? lines * 1.4 : lines;
  return { names: Math.ceil(names), octets: format === 'hosts' ? octets.length : length };
}
