/** `sallyport ship`: how far the audit has been carried to its receivers, and whether a receiver can be reached. */
import { hostname } from 'node:os';
import { Command } from 'commander';
import { destinationText, type Settings, type SinkSettings } from '../config/index.ts';
import {
  backlogOf,
  failureText,
  lookAt,
  openSink,
  resumedPlaces,
  type ShipRecord,
  type Sink,
} from '../ship/index.ts';
import { VERSION } from '../version.ts';
import { askServer } from './ask-server.ts';
import { readSettings, type SettingsFlags } from './settings-flags.ts';

interface Flags extends SettingsFlags {
  readonly json?: boolean;
}

export function shipCommand(): Command {
  return new Command('ship')
    .description('shipping of the audit: how far it is, and a test of receivers')
    .addCommand(
      common(new Command('status'))
        .description('what has reached each receiver and what waits; exit 1 when something is wrong')
        .action(status),
    )
    .addCommand(
      common(new Command('test'))
        .description('connect to receivers and send each one test record; exit 1 when one cannot be reached')
        .argument('[names...]', 'names of sinks (default: all)')
        .action(test),
    );
}

const common = (command: Command): Command =>
  command
    .option('-c, --config <file>', 'settings file (default: SALLYPORT_CONFIG, else ./sallyport.yaml)')
    .option('--http <address:port>', 'where the running Sallyport serves HTTP (default: as in the settings)')
    .option('--json', 'as JSON');

/** What of a sink in `GET /api/state` is printed; of a server that does not run, what the cursors say. */
interface Shown {
  readonly name: string;
  readonly type: string;
  readonly to: string;
  readonly lagRecords: number;
  readonly spoolOctets: number;
  readonly overflows: boolean;
  readonly records?: number;
  readonly lagSeconds?: number;
  readonly lost?: { readonly gone: number; readonly refused: number };
  readonly trouble?: { readonly why: string; readonly sinceMs: number } | null;
}

async function status(flags: Flags): Promise<void> {
  const settings = readSettings(flags, flags.json);
  if (settings === null) return;
  if (settings.ship.length === 0) {
    console.log('No sinks: the settings have no "ship". docs/shipping.md has an example of each.');
    return;
  }
  const answer = await askServer(flags, '/api/state', null);
  const sinks = answer === null ? fromCursors(settings) : (answer.body as { ship: Shown[] }).ship;
  if (flags.json) console.log(JSON.stringify(sinks, null, 2));
  else console.log(sinks.map(describe).join('\n'));
  if (sinks.some(({ trouble, overflows }) => overflows || (trouble !== undefined && trouble !== null)))
    process.exitCode = 1;
}

/** What waits, by the log and the cursors alone. */
function fromCursors({ ship, audit }: Settings): Shown[] {
  const state = lookAt(audit.directory, null);
  return ship.map((sink) => {
    const known = resumedPlaces(audit.directory, sink.name) ?? new Map();
    const places = new Map(state.names.map(({ worker }) => [worker, known.get(worker) ?? null]));
    const { records, octets, overflows } = backlogOf(state, places, sink.spool);
    return {
      name: sink.name,
      type: sink.type,
      to: destinationText(sink),
      lagRecords: records,
      spoolOctets: octets,
      overflows,
    };
  });
}

function describe(sink: Shown): string {
  const { name, type, to, records, lagRecords, lagSeconds, spoolOctets, lost, trouble, overflows } = sink;
  const count = new Intl.NumberFormat('en');
  const age = lagSeconds === undefined || lagSeconds === 0 ? '' : `, the oldest ${duration(lagSeconds)} old`;
  const lines = [
    `${name}  ${type}  ${to}`,
    ...(records === undefined ? [] : [`  shipped  ${count.format(records)} records since the start`]),
    `  waiting  ${count.format(lagRecords)} records${age}; ${count.format(Math.ceil(spoolOctets / 1024))} KiB`,
  ];
  if (overflows) lines.push('  SPOOL FULL: the oldest records may be deleted before they are shipped');
  const gone = (lost?.gone ?? 0) + (lost?.refused ?? 0);
  if (gone > 0)
    lines.push(
      `  LOST     ${count.format(gone)} records, ${count.format(lost?.refused ?? 0)} of them refused`,
    );
  if (trouble !== undefined && trouble !== null)
    lines.push(`  FAILING  for ${duration((Date.now() - trouble.sinceMs) / 1000)}: ${trouble.why}`);
  return lines.join('\n');
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

interface Tested {
  readonly name: string;
  readonly to: string;
  readonly ok: boolean;
  readonly tookMs: number;
  readonly what: string;
}

async function test(names: string[], flags: Flags): Promise<void> {
  const settings = readSettings(flags, flags.json);
  if (settings === null) return;
  const known = settings.ship.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined || known.length === 0) {
    const what = unknown === undefined ? 'the settings have no sinks' : `there is no sink named "${unknown}"`;
    const instead =
      known.length === 0 ? 'write one under "ship" (docs/shipping.md)' : `write ${known.join(' or ')}`;
    console.error(`${what}; ${instead}`);
    process.exitCode = 2;
    return;
  }
  const chosen = settings.ship.filter(({ name }) => names.length === 0 || names.includes(name));
  const results: Tested[] = [];
  for (const sink of chosen) {
    const result = await tryOut(sink);
    results.push(result);
    if (!flags.json)
      console.log(`${result.name}  ${result.ok ? 'ok' : 'FAILED'}  ${result.to}  ${result.what}`);
  }
  if (flags.json) console.log(JSON.stringify(results, null, 2));
  if (results.some(({ ok }) => !ok)) process.exitCode = 1;
}

async function tryOut(settings: SinkSettings): Promise<Tested> {
  const beganAtMs = performance.now();
  const end = (ok: boolean, what: string): Tested => {
    const tookMs = Math.round(performance.now() - beganAtMs);
    return { name: settings.name, to: destinationText(settings), ok, tookMs, what: `${what} (${tookMs} ms)` };
  };
  let sink: Sink | null = null;
  try {
    sink = await openSink(settings, VERSION);
    const partly = await sink.send([testRecord(settings)]);
    if (partly !== undefined) return end(false, `the receiver refused the test record: ${partly.why}`);
    await sink.settle?.();
    return end(true, WHAT_IT_SHOWS[settings.type]);
  } catch (error) {
    return end(false, failureText(error));
  } finally {
    sink?.close();
  }
}

const WHAT_IT_SHOWS: Readonly<Record<SinkSettings['type'], string>> = {
  dnstap: 'handshake, STOP and FINISH done; dnstap has no message for a test',
  syslog: 'one message sent and the connection ended by the receiver in order; look for MSGID "test"',
  otlp: 'one log record acknowledged; look for the event sallyport.test',
  kafka: 'one message acknowledged by all in-sync replicas; look for "type":"test"',
  clickhouse: "one row inserted; look for seq = 0 and type = 'test'",
};

function testRecord({ identity }: SinkSettings): ShipRecord {
  const record = { type: 'test', seq: 0, time: new Date().toISOString(), up: 0 };
  const from = { host: identity ?? hostname(), log: '', worker: 0 };
  return { ...from, record, line: JSON.stringify({ ...from, ...record }) };
}
