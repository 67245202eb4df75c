/** The results as a table for people, with ratios and goals. */
import { type Claim, claim } from './drills/verdict.ts';
import { RATIO_GOALS, RULE_LOAD_GOAL, STRICT_RATE_GOAL } from './goals.ts';
import { median } from './median.ts';
import type { CostResult, CostSample } from './rows/cost.ts';
import type { RuleLoadResult } from './rows/rule-load.ts';

/** The share of queries that may be lost or wrong before a figure stops meaning anything. */
const FLAWS_MAX = 0.01;

const costUs = ({ userUs, systemUs }: CostSample): number => userUs + systemUs;
const medianCost = ({ samples }: CostResult): number => median(samples.map(costUs));
const medianRate = ({ samples }: CostResult): number =>
  median(samples.map(({ queriesPerSecond }) => queriesPerSecond));

/** One row: each contender with its medians, spread, and Sallyport's cost as a share of its own. */
export function costTable(title: string, results: readonly CostResult[]): string {
  const own = results.find(({ contender }) => contender === 'sallyport');
  const ownCost = own !== undefined && own.samples.length > 0 ? medianCost(own) : null;
  const rows = results.map((result) => {
    const { contender, missing, samples } = result;
    if (missing !== null) return [contender, `– ${missing}`];
    const costs = samples.map(costUs);
    const total = medianCost(result);
    return [
      contender,
      median(samples.map(({ userUs }) => userUs)).toFixed(2),
      median(samples.map(({ systemUs }) => systemUs)).toFixed(2),
      total.toFixed(2),
      `${Math.min(...costs).toFixed(2)}–${Math.max(...costs).toFixed(2)}`,
      Math.round(median(samples.map(({ queriesPerSecond }) => queriesPerSecond))).toLocaleString('en-US'),
      String(median(samples.map(({ p99Us }) => p99Us))),
      ownCost === null || contender === 'sallyport' ? '' : (ownCost / total).toFixed(2),
    ];
  });
  const head = ['', 'user µs', 'system µs', 'total µs', 'spread', 'queries/s', 'p99 µs', 'sallyport ÷ it'];
  return `\n${title}\n${aligned([head, ...rows])}`;
}

export function ruleLoadTable(results: readonly RuleLoadResult[]): string {
  const rows = results.map(({ contender, missing, seconds, octets }) =>
    missing !== null
      ? [contender, `– ${missing}`]
      : [contender, seconds.toFixed(2), String(Math.round(octets / 2 ** 20))],
  );
  return `\n1,000,000 denied names: what loading them adds\n${aligned([['', 'seconds', 'MiB'], ...rows])}`;
}

/** The goals, judged where both sides were measured; a goal without its peer is not listed as held. */
export function judge(costs: readonly CostResult[], rules: readonly RuleLoadResult[]): Claim[] {
  const find = (row: string, contender: string): CostResult | undefined =>
    costs.find((result) => result.row === row && result.contender === contender && result.samples.length > 0);
  const claims: Claim[] = [];
  for (const { row, own: name = 'sallyport', peer, most } of RATIO_GOALS) {
    const own = find(row, name);
    const other = find(row, peer);
    if (own === undefined || other === undefined) continue;
    const ratio = medianCost(own) / medianCost(other);
    const whose = name === 'sallyport' ? '' : `${name} `;
    claims.push(claim(`${row}: ${whose}at most ${most} × ${peer}`, ratio.toFixed(2), ratio <= most));
  }
  const [strict, bounded] = [find('audit-modes', 'strict'), find('audit-modes', 'bounded')];
  if (strict !== undefined && bounded !== undefined) {
    const share = medianRate(strict) / medianRate(bounded);
    const text = `audit-modes: strict answers at least ${STRICT_RATE_GOAL} × as many a second as bounded`;
    claims.push(claim(text, share.toFixed(2), share >= STRICT_RATE_GOAL));
  }
  for (const result of costs) {
    const flaws = result.samples.map(({ lost, wrong, received }) => (lost + wrong) / Math.max(1, received));
    if (result.contender === 'sallyport' && flaws.some((share) => share > 0)) {
      claims.push(
        claim(
          `${result.row}: no query lost, none answered wrongly`,
          `${(Math.max(...flaws) * 100).toFixed(3)} %`,
          false,
        ),
      );
    } else if (flaws.some((share) => share > FLAWS_MAX)) {
      claims.push(
        claim(
          `${result.row}: ${result.contender} answers as it should`,
          `${(Math.max(...flaws) * 100).toFixed(1)} % lost or wrong`,
          false,
        ),
      );
    }
  }
  const own = rules.find(({ contender, missing }) => contender === 'sallyport' && missing === null);
  if (own !== undefined) {
    const { seconds, octets } = RULE_LOAD_GOAL;
    claims.push(
      claim(
        `1,000,000 rules loaded within ${seconds} s`,
        `${own.seconds.toFixed(2)} s`,
        own.seconds <= seconds,
      ),
      claim(
        `1,000,000 rules in at most ${octets / 2 ** 20} MiB`,
        `${Math.round(own.octets / 2 ** 20)} MiB`,
        own.octets <= octets,
      ),
    );
  }
  return claims;
}

/** Columns under each other; the first to the left, figures to the right. A row of two cells says why it has no figures. */
function aligned(rows: readonly (readonly string[])[]): string {
  const full = rows.filter((row) => row.length === rows[0]!.length);
  const widths = rows[0]!.map((_, column) => Math.max(...full.map((row) => row[column]!.length)));
  widths[0] = Math.max(...rows.map((row) => row[0]!.length));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
        .join('  '),
    )
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}
