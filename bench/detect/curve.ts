/**
 * What the bound of `form` costs either way: for several values of it, what many clients move together with names of one form, and how
 * many clients of ordinary fleets are flagged on their first days. `node dist-bench/bench/detect/curve.js [--seed N]`
 */
import { HuntSession } from '../../src/cli/hunt-session.ts';
import { LIMITS } from '../../src/detect/index.ts';
import { BENIGN } from './benign.ts';
import { BASE32, LETTERS, Random } from './random.ts';
import { A, DAY, START } from './traffic.ts';

const at = process.argv.indexOf('--seed');
const seed = at < 0 ? 1 : Number(process.argv[at + 1]);
const limits = LIMITS as { form: number; formPerClient: number };
const CLASSES = BENIGN.filter(({ name }) =>
  /unknown vendor, hashes of common|fleet-wide|UUID of the|device numbers/.test(name),
);
const FLEETS = [3, 5, 10, 50, 200];
const SEEDS = 4;

/** Octets a day that so many clients move together without a verdict in ten days. */
function capacity(clients: number): number {
  let low = 0;
  let high = 4000;
  while (high - low > 0.02 * high) {
    const middle = (low + high) / 2;
    const random = new Random(seed);
    let verdicts = 0;
    const session = new HuntSession({ profile: 'default', onVerdict: () => verdicts++ });
    for (let i = 0; i < middle * 10 && verdicts === 0; i++) {
      session.feed({
        atMs: START + (i * DAY) / middle,
        client: `10.66.0.${i % clients}`,
        name: `${random.text(1, LETTERS)}${random.text(6, BASE32)}${2 + random.below(6)}.marigold-parade.net`,
        type: A,
        rcode: 0,
        octets: 90,
        distinctAnswers: 1,
        line: 0,
        file: '',
      });
    }
    if (verdicts === 0) low = middle;
    else high = middle;
  }
  return (low * 37.3) / 8;
}

/** Clients flagged, of all classes and seeds, in three days. */
function flagged(clients: number): string {
  let pairs = 0;
  let all = 0;
  for (let round = 0; round < SEEDS; round++) {
    for (const benign of CLASSES) {
      const random = new Random(seed * 7907 + round * 104_729 + benign.name.length);
      const traffic = benign.make(random, 3, { clients, network: '10.77' }).sort((a, b) => a.atMs - b.atMs);
      const session = new HuntSession({ profile: 'default', onVerdict: () => pairs++ });
      for (const made of traffic) session.feed({ ...made, distinctAnswers: 1, line: 0, file: '' });
      all += clients;
    }
  }
  return `${pairs}/${all}`;
}

console.log(
  `seed ${seed}; octets a day of 10 and 50 clients together; clients flagged in fleets of ${FLEETS.join(', ')}, ${CLASSES.length} classes, ${SEEDS} seeds, 3 days\n`,
);
for (const [form, formPerClient] of [
  [0, 100],
  [600, 220],
  [1200, 220],
  [1800, 220],
  [2400, 220],
  [2400, 250],
  [4800, 300],
] as const) {
  limits.form = form;
  limits.formPerClient = formPerClient;
  const octets = [10, 50].map((clients) => Math.round(capacity(clients)));
  console.log(
    `form ${String(form).padStart(4)} + ${formPerClient} a client   ${octets.map((one) => String(one).padStart(6)).join(' ')}   ${FLEETS.map((clients) => flagged(clients).padStart(9)).join(' ')}`,
  );
}
