/** What the subcommands of `sallyport audit` share: the directory, filters, times, and a progress bar. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type Filter, pseudonymsOf, segmentNames, Unsealer } from '../audit/index.ts';
import { addressOctets, addressText } from '../config/index.ts';
import { typeOf } from '../wire/index.ts';
import { Unusable, usable } from './unusable.ts';

export const DIRECTORY = 'var/audit';

/** Throws Unusable, in words, when there is no log to read. */
export function requireLog(directory: string): void {
  if (!existsSync(directory)) {
    throw new Unusable(
      `${directory} does not exist; give the directory of the log (setting audit.directory)`,
    );
  }
  if (!statSync(directory).isDirectory())
    throw new Unusable(`${directory} is a file; give the directory it lies in`);
  if (segmentNames(directory).length === 0)
    throw new Unusable(`${directory} holds no segments (w0-….ndjson)`);
}

export interface FilterFlags {
  readonly name?: string;
  readonly client?: string;
  readonly group?: string;
  readonly verdict?: string;
  readonly rule?: string;
  readonly type?: string;
  readonly rcode?: string;
  readonly secret?: string;
  readonly since?: number;
  readonly until?: number;
  readonly notes?: boolean;
  readonly kind?: string;
  readonly pseudonyms?: string;
  readonly decryptKey?: readonly string[];
}

/** Adds --decrypt-key: what opens encrypted records. */
export const withDecryptKey = (command: Command): Command =>
  command.option(
    '--decrypt-key <file>',
    'private key of a reader, where records are encrypted (audit.encryptTo); may be given again',
    (file: string, before: readonly string[] | undefined) => [...(before ?? []), file],
  );

/** What opens encrypted records; null when no key is given. Throws Unusable. */
export const unsealerOf = ({ decryptKey }: { readonly decryptKey?: readonly string[] }): Unsealer | null =>
  decryptKey === undefined ? null : usable(() => Unsealer.read(decryptKey));

export const withFilters = (command: Command): Command =>
  withDecryptKey(command)
    .option('-n, --name <name>', 'example.com: that name; *.example.com: below it; +.example.com: both')
    .option('-c, --client <address>', 'client address, or what stands in the log for it')
    .option(
      '--pseudonyms <path>',
      'keys of pseudonyms, a directory or a file, to find --client under (default: "pseudonyms" beside the log)',
    )
    .option('-g, --group <group>', 'group of the client')
    .option('-v, --verdict <verdict>', 'allow, deny, local, refuse, fail, drop, …')
    .option('-r, --rule <rule>', 'id of the rule, as base/allow/3')
    .option('-t, --type <type>', 'query type', readType)
    .option('--rcode <rcode>', 'response code, as NXDOMAIN')
    .option(
      '--secret <kind>',
      'names that gave away a card, jwt, …; or a mark that "audit secret-hash" prints',
    )
    .option('--since <time>', 'not before: 2026-01-31T12:00:00Z, or 15m, 6h, 7d ago', readTime)
    .option('--until <time>', 'before, written likewise', readTime)
    .option(
      '--kind <type>',
      'only records of this type that are no queries: verdict, verdict-ended, event, gap, recovered, …',
    )
    .option('--notes', 'records of the log about itself as well (gap, recovered, …)');

export function filterOf(directory: string, flags: FilterFlags): Filter {
  const { name, group, verdict, rule, type, rcode, secret, since, until, notes, kind } = flags;
  return {
    ...(name === undefined ? {} : { name }),
    ...(flags.client === undefined ? {} : { client: clientTexts(directory, flags.client, flags.pseudonyms) }),
    ...(group === undefined ? {} : { group }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(rule === undefined ? {} : { rule }),
    ...(type === undefined ? {} : { qtype: type }),
    ...(rcode === undefined ? {} : { rcode }),
    ...(secret === undefined ? {} : { secret }),
    ...(since === undefined ? {} : { sinceMs: since }),
    ...(until === undefined ? {} : { untilMs: until }),
    ...(kind === undefined ? {} : { kind }),
    ...(notes === true ? { notes: 'also' as const } : {}),
  };
}

/** The same where only queries have a place. Throws in words when notes are asked for. */
export function queriesOf(directory: string, flags: FilterFlags): Filter {
  if (flags.notes === true || flags.kind !== undefined) {
    throw new Error(
      'there is no place here for records of the log about itself: leave --notes and --kind away, or write --format ndjson or csv',
    );
  }
  return filterOf(directory, flags);
}

/** What may stand in the log for a client: its address, and its pseudonyms under the keys that are there. Throws in words. */
export function clientTexts(directory: string, client: string, pseudonyms: string | undefined): string[] {
  const address = addressOctets(client);
  if (address === null) {
    if (pseudonyms === undefined) return [client];
    throw new Error(
      `"${client}" is no address, so it has no pseudonyms; leave --pseudonyms away, or give an address`,
    );
  }
  const beside = join(directory, '..', 'pseudonyms');
  const source = pseudonyms ?? (existsSync(beside) ? beside : null);
  return [addressText(address), ...(source === null ? [] : pseudonymsOf(address, source))];
}

function readType(text: string): string {
  if (typeOf(text) === undefined) throw new InvalidArgumentError('Write for example A, TXT or TYPE65.');
  return text.toUpperCase();
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds since 1970. Throws InvalidArgumentError. */
export function readTime(text: string, _previous?: unknown, nowMs = Date.now()): number {
  const ago = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  if (ago !== null) return nowMs - Number(ago[1]) * UNITS[ago[2]];
  const atMs = Date.parse(text);
  if (Number.isNaN(atMs)) {
    throw new InvalidArgumentError(
      'Write a time as 2026-01-31T12:00:00Z, a day as 2026-01-31, or 15m, 6h, 7d ago.',
    );
  }
  return atMs;
}

export function readCount(text: string): number {
  const count = Number(text);
  if (!Number.isSafeInteger(count) || count < 0)
    throw new InvalidArgumentError('Write a whole number, as 100.');
  return count;
}

/** A bar on standard error over the segments of a directory; silent when nobody looks or the work is short. */
export class Progress {
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #total: number;
  readonly #shown: boolean;
  #done = 0;
  #last = '';

  constructor(directory: string) {
    this.#sizes = new Map(
      segmentNames(directory).map(({ file }) => [file, statSync(join(directory, file)).size] as const),
    );
    this.#total = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
    this.#shown = process.stderr.isTTY === true && this.#total > 64 * 1024 * 1024;
  }

  /** Another file has been read, or is about to be. */
  step(file: string): void {
    this.#done += this.#sizes.get(file) ?? 0;
    if (!this.#shown) return;
    const part = this.#total === 0 ? 1 : Math.min(1, this.#done / this.#total);
    const full = Math.round(part * 30);
    const text = `[${'='.repeat(full)}${' '.repeat(30 - full)}] ${Math.round(part * 100)} % of ${Math.round(this.#total / 1e6)} MB`;
    if (text !== this.#last) process.stderr.write(`\r${text}`);
    this.#last = text;
  }

  end(): void {
    if (this.#shown) process.stderr.write(`\r${' '.repeat(this.#last.length)}\r`);
  }
}
