/**
 * A day of the services that detectors wrongly flag, in fleets of several sizes, on the first day of an installation and on the three
 * days after it. Each class by itself, then all of them from the same clients.
 *
 *    node dist-bench/bench/detect/hard-day.js [--seed N] [--fleets 1,5,50,500] [--only TEXT] [--conflicts yes]
 */
import { HuntSession } from '../../src/cli/hunt-session.ts';
import { BENIGN } from './benign.ts';
import { Random } from './random.ts';
import { DAY, type Made, START } from './traffic.ts';

const option = (name: string, usual: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : process.argv[at + 1];
};

const seed = Number(option('seed', '1'));
const fleets = option('fleets', '1,5,50,500').split(',').map(Number);
const only = option('only', '');
const kinds = option('conflicts', 'no') === 'yes' ? ['hard', 'conflict'] : ['hard'];
/** The day without history, and those with it. */
const DAYS = 4;

interface Period {
  queries: number;
  denied: number;
  held: number;
  readonly flagged: Set<string>;
}

const period = (): Period => ({ queries: 0, denied: 0, held: 0, flagged: new Set() });

function run(traffic: readonly Made[]): { first: Period; later: Period; rules: Map<string, number> } {
  const first = period();
  const later = period();
  const rules = new Map<string, number>();
  let now = first;
  const session = new HuntSession({
    profile: 'default',
    onVerdict: (verdict) => {
      now.flagged.add(`${verdict.client} ${verdict.domain}`);
      const rule = `${verdict.rule} ${verdict.domain}`;
      rules.set(rule, (rules.get(rule) ?? 0) + 1);
    },
    onDenial: () => now.denied++,
  });
  for (const made of traffic) {
    now = made.atMs < START + DAY ? first : later;
    now.queries++;
    const { heldQueries } = session;
    session.feed({ ...made, distinctAnswers: 1, line: 0, file: '' });
    now.held += session.heldQueries - heldQueries;
  }
  return { first, later, rules };
}

const cell = (value: unknown, width: number): string => String(value).padStart(width);

function row(name: string, traffic: readonly Made[], clients: number): void {
  const { first, later, rules } = run(traffic);
  const part = ({ queries, denied, held, flagged }: Period, days: number): string =>
    `${cell(queries, 8)} ${cell(flagged.size, 4)} ${cell(denied, 6)} ${cell(queries === 0 ? '–' : ((denied / queries) * 1e6).toFixed(1), 9)} ${cell((flagged.size / clients / days).toFixed(4), 7)} ${cell(held, 6)}`;
  console.log(`${name.padEnd(56)} ${part(first, 1)}  |${part(later, DAYS - 1)}`);
  for (const [rule, count] of [...rules].slice(0, 3)) console.log(`      ${rule}: ${count}`);
}

for (const clients of fleets) {
  const head = ' queries flag denied   per.mio  /cl.day  held';
  console.log(`\n${`fleet of ${clients}, seed ${seed}`.padEnd(56)} ${head}  |${head}`);
  const all: Made[] = [];
  let total = 0;
  for (const benign of BENIGN) {
    if (!kinds.includes(benign.kind) || !benign.name.includes(only)) continue;
    const random = new Random(seed * 6151 + clients * 389 + benign.name.length * 17);
    const traffic = benign.make(random, DAYS, { clients, network: '10.77' });
    traffic.sort((a, b) => a.atMs - b.atMs);
    row(benign.name, traffic, clients);
    total++;
    if (benign.kind === 'hard') for (const made of traffic) all.push(made);
  }
  if (total < 2) continue;
  all.sort((a, b) => a.atMs - b.atMs);
  row('everything together, from the same clients', all, clients);
}
