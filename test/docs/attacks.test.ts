/** docs/attacks.md names tests that exist, by file and title, and at least one in every row. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const page = readFileSync(new URL('../../docs/attacks.md', import.meta.url), 'utf8');
const root = new URL('../../', import.meta.url);
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !/ \| tried in \|$/.test(line));
const NAMED = /`(test\/[^`]+)` "([^"]+)"/g;

describe('docs/attacks.md', () => {
  test('has rows', () => expect(rows.length).toBeGreaterThan(50));

  test.each(rows.map((row) => [row.split(' | ')[0].slice(2), row]))('%s', (_, row) => {
    const named = [...row.matchAll(NAMED)];
    expect(named.length).toBeGreaterThan(0);
    // What looks like a test must be one that was understood above.
    expect(row.match(/`test\//g)).toHaveLength(named.length);
    for (const [, file, title] of named) {
      expect(existsSync(new URL(file, root)), file).toBe(true);
      expect(readFileSync(new URL(file, root), 'utf8')).toContain(title);
    }
  });
});
