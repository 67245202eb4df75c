/** docs/limits.md has a row for every limit, with its default, and every row names counters that exist. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Settings } from '../../src/config/settings.ts';
import { CAUSES, PLAIN } from '../../src/metrics/catalogue.ts';
import { SHIP_FAMILIES } from '../../src/shipper-thread.ts';

const page = readFileSync(new URL('../../docs/limits.md', import.meta.url), 'utf8');
/** The tables of bounds, without their heads; the drills below them measure other things. */
const rows = page
  .slice(0, page.indexOf('## What holds when limits are met'))
  .split('\n')
  .filter((line) => /^\| /.test(line) && !/^\| (setting|bound|---) \|/.test(line));
const { limits } = Settings.parse({});

/** Counters as the catalogue has them: `name` or `name{label="value"}`. */
const known = new Set<string>([
  ...PLAIN.flatMap(([, , name, labels]) => [
    name,
    ...Object.entries(labels).map(([label, value]) => `${name}{${label}="${value}"}`),
  ]),
  ...SHIP_FAMILIES.map(({ name }) => name),
  ...CAUSES.map((cause) => `policy_decisions_total{cause="${cause}"}`),
]);

/** The counters of a cell; one that is only labels has the name of the one before it. */
function countersOf(cell: string): string[] {
  let name = '';
  return (cell.match(/`[^`]+`/g) ?? []).map((quoted) => {
    const counter = quoted.slice(1, -1);
    if (counter.startsWith('{')) return name + counter;
    name = counter.replace(/\{.*/, '');
    return counter;
  });
}

describe('docs/limits.md', () => {
  test.each(Object.keys(limits))('has a row for limits.%s', (setting) => {
    expect(rows.filter((row) => row.startsWith(`| \`${setting}\` |`))).toHaveLength(1);
  });

  test('names counters that exist, in every row', () => {
    const named = rows.map((row) => countersOf(row.split(' | ')[2]!));
    expect(rows.length).toBeGreaterThan(Object.keys(limits).length);
    expect(named.every((counters) => counters.length > 0)).toBe(true);
    expect(named.flat().filter((counter) => !known.has(counter))).toEqual([]);
  });

  test.each(
    Object.entries(limits).filter(
      (entry): entry is [string, number] => typeof entry[1] === 'number' && entry[1] >= 11,
    ),
  )('gives the default of %s: %d', (setting, value) => {
    const row = rows.find((line) => line.startsWith(`| \`${setting}\` |`));
    const text = row!.split(' | ')[1]!.replaceAll(',', '');
    const forms = [
      `${value}`,
      `${value / 1000} s`,
      `${value / 3_600_000} h`,
      `${value / 2 ** 10} KiB`,
      `${value / 2 ** 20} MiB`,
    ];
    expect(
      forms.some((form) => text.startsWith(form)),
      text,
    ).toBe(true);
  });
});
