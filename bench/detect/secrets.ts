/**
 * What looking for secrets costs, and how often it is wrong:
 * `npx tsc -p tsconfig.bench.json && node dist-bench/bench/detect/secrets.js [--data FOLDER] [--seed N]`.
 *
 * Wrong is every finding in the benign traffic of the generators and in the recorded names of FOLDER (`*.tsv.gz` with the
 * columns of `sallyport hunt`, label 0 or ?).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { findSecrets } from '../../src/detect/index.ts';
import { NameError, nameOctets, nameText } from '../../src/wire/index.ts';
import { BENIGN } from './benign.ts';
import { BASE32, Random, WORDS } from './random.ts';

const option = (name: string, usual: string): string => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : process.argv[at + 1];
};
const seed = Number(option('seed', '1'));
const data = option('data', '');
const COUNT = 65_536;

function cost(label: string, make: (random: Random, i: number) => string): void {
  const random = new Random(1);
  const names = Array.from({ length: COUNT }, (_, i) => nameOctets(make(random, i)));
  let found = 0;
  for (const name of names) found += findSecrets(name).length;
  const before = process.memoryUsage().heapUsed;
  const cpu = process.cpuUsage();
  for (let round = 0; round < 4; round++) for (const name of names) found += findSecrets(name).length;
  const { user, system } = process.cpuUsage(cpu);
  const grown = process.memoryUsage().heapUsed - before;
  console.log(
    `${label.padEnd(44)} ${((user + system) / (4 * COUNT)).toFixed(3)} µs   ${(grown / (4 * COUNT)).toFixed(1)} octets a name   found ${(found / (5 * COUNT)).toFixed(4)}`,
  );
}

cost('ordinary host', (r) => `www.${r.pick(WORDS)}${r.pick(WORDS)}${r.below(999)}.com`);
cost('host of a delivery network', (r, i) => `${r.pick(WORDS)}-${i}.cdn.example${i & 4095}.com`);
cost(
  'long host',
  (r) => `${r.pick(WORDS)}-${r.pick(WORDS)}-${r.below(9)}.${r.pick(WORDS)}.eu-west-1.elb.amazonaws.com`,
);
cost('reverse lookup', (r) => `${r.below(256)}.${r.below(256)}.${r.below(256)}.${r.below(256)}.in-addr.arpa`);
cost('reverse lookup, IPv6', (r) => `${[...r.text(32, '0123456789abcdef')].join('.')}.ip6.arpa`);
cost(
  'UUID',
  (r) =>
    `${r.text(8, '0123456789abcdef')}-${r.text(4, '0123456789abcdef')}-4abc-9abc-${r.text(12, '0123456789abcdef')}.telemetry.example`,
);
cost('60 characters of Base32', (r) => `${r.text(60, BASE32)}.evil.test`);
cost(
  'four labels of 60 hex digits',
  (r) => `${[0, 0, 0, 0].map(() => r.text(58, '0123456789abcdef')).join('.')}.e.test`,
);
cost(
  'hex of text in four labels',
  (r) =>
    `${[0, 0, 0, 0].map(() => Buffer.from(`${r.pick(WORDS)} ${r.pick(WORDS)} aaaaaaaaaaaaaaaaaaa`.slice(0, 28)).toString('hex')).join('.')}.e.test`,
);
cost('127 labels of one character', (r) => `${[...r.text(127, '0123456789abcdef')].join('.')}`);

const samples: string[] = [];
function wrong(label: string, names: Iterable<string>): void {
  let count = 0;
  let findings = 0;
  const seen = new Set<string>();
  for (const text of names) {
    if (seen.has(text)) continue;
    seen.add(text);
    try {
      const name = nameOctets(text);
      count++;
      const secrets = findSecrets(name);
      if (secrets.length === 0) continue;
      findings++;
      if (samples.length < 100)
        samples.push(
          `${secrets.map(({ what, encoding }) => `${what} (${encoding})`).join(', ')}: ${nameText(name)}`,
        );
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
    }
  }
  console.log(`${label.padEnd(44)} ${String(count).padStart(8)} names, ${findings} with a finding`);
}

function* generated(kind: string): Generator<string> {
  for (const source of BENIGN) {
    if (source.kind !== kind) continue;
    for (const made of source.make(new Random(seed * 31 + source.name.length * 7), 1)) yield made.name;
  }
}
for (const kind of ['general', 'hard']) wrong(`generated, ${kind}`, generated(kind));

function* recorded(file: string): Generator<string> {
  for (const line of gunzipSync(readFileSync(file)).toString('latin1').split('\n')) {
    const fields = line.split('\t');
    const isNames = fields.length < 6;
    const label = isNames ? fields[1] : fields[6];
    if (label === '0' || label === '?') yield fields[2];
  }
}
if (data !== '')
  for (const file of readdirSync(data).filter((name) => name.endsWith('.tsv.gz')))
    wrong(file, recorded(join(data, file)));
for (const sample of samples) console.log(`  ${sample}`);
