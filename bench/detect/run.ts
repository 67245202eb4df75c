/**
 * The table of the detector: each tool, channel and benign class on its own line.
 *
 *    npx tsc -p tsconfig.bench.json && node dist-bench/bench/detect/run.js [--seed N] [--days N] [--data FOLDER] [--only TEXT] [--kind general|hard] [--clients N] [--skip channels]
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { gunzipSync } from 'node:zlib';
import { HuntSession, type HuntVerdict } from '../../src/cli/hunt-session.ts';
import { BENIGN } from './benign.ts';
import { type Channel, DOWNLOADS, history, LOUD, SLOW, strangeDomain, TRANSFER_START } from './channels.ts';
import { Random } from './random.ts';
import { BY_HAND, TOOLS } from './tools.ts';
import { DAY, type Made } from './traffic.ts';

const option = (name: string, usual: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : process.argv[at + 1];
};

const seed = Number(option('seed', '1'));
const days = Number(option('days', '3'));
const only = option('only', '');
const data = option('data', '');

interface Outcome {
  readonly verdicts: HuntVerdict[];
  readonly denied: Set<Made>;
  readonly seconds: number;
}

function run(traffic: readonly Made[]): Outcome {
  const sorted = [...traffic].sort((a, b) => a.atMs - b.atMs);
  const verdicts: HuntVerdict[] = [];
  const denied = new Set<Made>();
  const session = new HuntSession({
    profile: 'default',
    onVerdict: (verdict) => verdicts.push(verdict),
    onDenial: (record) => denied.add(sorted[record.line]),
  });
  const started = performance.now();
  for (let i = 0; i < sorted.length; i++) {
    session.feed({ ...sorted[i], distinctAnswers: 1, line: i, file: '' });
  }
  return { verdicts, denied, seconds: (performance.now() - started) / 1000 };
}

const median = (values: number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const cell = (value: unknown, width: number): string => String(value).padStart(width).slice(0, width);

function channelRow(channel: Channel): void {
  const forwarded: number[] = [];
  const moved: number[] = [];
  const perDay: number[] = [];
  const minutes: number[] = [];
  let found = 0;
  const runs = channel.kind === 'slow' ? 2 : 6;
  for (let i = 0; i < runs; i++) {
    const random = new Random(seed * 7919 + i * 104729 + channel.name.length);
    const count = channel.name.startsWith('20 domains') ? 20 : channel.name === 'RogueRobin' ? 9 : 1;
    const domains = Array.from({ length: count }, () => strangeDomain(random));
    const past = i % 2 === 0 ? [] : domains.flatMap((domain) => history(random, domain, TRANSFER_START));
    const sent = channel.make(random, domains, TRANSFER_START);
    const { verdicts, denied } = run([...past, ...sent]);
    const own = verdicts.filter((verdict) => verdict.client.startsWith('10.66.'));
    if (own.length > 0) found++;
    const firstDenial = sent.findIndex((made) => denied.has(made));
    const left = sent.filter((made) => !denied.has(made));
    forwarded.push(firstDenial < 0 ? sent.length : firstDenial);
    moved.push(left.reduce((sum, made) => sum + made.payload, 0));
    const byDay = new Map<string, number>();
    for (const made of left) {
      const key = `${made.client} ${Math.floor((made.atMs - TRANSFER_START) / DAY)}`;
      byDay.set(key, (byDay.get(key) ?? 0) + made.payload);
    }
    perDay.push(Math.max(0, ...byDay.values()));
    minutes.push(
      firstDenial < 0 ? Number.POSITIVE_INFINITY : (sent[firstDenial].atMs - TRANSFER_START) / 60_000,
    );
  }
  console.log(
    `${channel.name.padEnd(52)} ${cell(`${found}/${runs}`, 5)} ${cell(median(forwarded), 7)} ${cell(Math.max(...forwarded), 7)} ${cell(Math.round(median(moved)), 8)} ${cell(Math.round(Math.max(...moved)), 8)} ${cell(Math.round(Math.max(...perDay)), 8)} ${cell(median(minutes).toFixed(1), 9)}`,
  );
}

console.log(
  `seed ${seed}\n\n${'channel'.padEnd(52)} found  med.q   max.q   med.oct  max.oct max/c/d  minutes`,
);
for (const channel of [...LOUD, ...TOOLS, ...BY_HAND, ...DOWNLOADS, ...SLOW])
  if (channel.name.includes(only) && option('skip', '') !== 'channels') channelRow(channel);

console.log(`\n${'benign class'.padEnd(52)} queries   pairs flagged denied per.mio   per.client.day`);
const all: Made[] = [];
for (const benign of BENIGN) {
  if (option('kind', benign.kind) !== benign.kind) continue;
  let traffic = benign.make(new Random(seed * 31 + benign.name.length * 7), days);
  const few = Number(option('clients', '0'));
  if (few > 0) {
    const kept = new Set([...new Set(traffic.map((made) => made.client))].slice(0, few));
    traffic = traffic.filter((made) => kept.has(made.client));
  }
  if (benign.kind !== 'conflict') for (const made of traffic) all.push(made);
  if (!benign.name.includes(only)) continue;
  benignRow(benign.name, traffic);
}
if (only === '') benignRow('everything together', all);

function benignRow(name: string, traffic: readonly Made[]): void {
  const { verdicts, denied, seconds } = run(traffic);
  const clients = new Set(traffic.map((made) => made.client)).size;
  console.log(
    `${name.padEnd(52)} ${cell(traffic.length, 7)} ${cell('', 5)} ${cell(verdicts.length, 5)} ${cell(denied.size, 7)} ${cell(((denied.size / traffic.length) * 1e6).toFixed(1), 9)} ${cell((verdicts.length / clients / days).toFixed(4), 9)}  ${((seconds / traffic.length) * 1e6).toFixed(2)} µs`,
  );
  for (const verdict of verdicts.slice(0, 3))
    console.log(
      `      ${verdict.client} ${verdict.domain} ${verdict.rule} ${Math.round(verdict.score)}: ${verdict.evidence[0].slice(0, 200)}`,
    );
}

if (data !== '') {
  console.log('\nshared names, each tool under a domain nobody knows, one query a second');
  const byTool = new Map<string, string[]>();
  for (const line of gunzipSync(readFileSync(`${data}/netrack-names.tsv.gz`))
    .toString('latin1')
    .split('\n')) {
    const [tool, label, name] = line.split('\t');
    if (label === '1' && name !== undefined) byTool.set(tool, [...(byTool.get(tool) ?? []), name]);
  }
  for (const [tool, names] of byTool) {
    const counts: number[] = [];
    const octets: number[] = [];
    for (let start = 0; start + 200 < names.length; start += 400) {
      const random = new Random(seed + start);
      const domain = strangeDomain(random);
      const sent: Made[] = names.slice(start, start + 200).map((name, i) => {
        const labels = name
          .replace(/\.(hidemyself|tuns|example)\.org$/, '')
          .replace(/\.tunnel$/, '')
          .split('.')
          .filter((label) => label !== '')
          .map((label) => label.slice(0, 60));
        const text = `${labels.join('.')}.${domain}`.replace(/[^\x21-\x7e]/g, 'q');
        return {
          atMs: TRANSFER_START + i * 1000,
          client: '10.66.0.1',
          name: text,
          type: 16,
          rcode: 0,
          octets: 200,
          payload: labels.join('').length * 0.6,
        };
      });
      const { denied } = run(sent);
      const first = sent.findIndex((made) => denied.has(made));
      counts.push(first < 0 ? sent.length : first);
      octets.push(sent.filter((made) => !denied.has(made)).reduce((sum, made) => sum + made.payload, 0));
    }
    console.log(
      `${tool.padEnd(52)} ${cell(counts.length, 5)} ${cell(median(counts), 7)} ${cell(Math.max(...counts), 7)} ${cell(Math.round(median(octets)), 8)} ${cell(Math.round(Math.max(...octets)), 8)}`,
    );
  }
}
