import { describe, expect, test } from 'vitest';
import { createLog } from '../../src/control/index.ts';

function lines(format: 'json' | 'text', level: 'info' | 'warn' = 'info') {
  const written: string[] = [];
  return {
    log: createLog({ level, format, destination: { write: (line) => void written.push(line) } }),
    written,
  };
}

describe('createLog', () => {
  test('writes JSON with the level as a word and the time as text', () => {
    const { log, written } = lines('json');
    log.info({ pool: 'default' }, 'upstream is up');
    const line = JSON.parse(written[0]!);
    expect(line).toMatchObject({ level: 'info', pool: 'default', msg: 'upstream is up' });
    expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(written[0]!.endsWith('\n')).toBe(true);
  });

  test('leaves out what is below its level', () => {
    const { log, written } = lines('json', 'warn');
    log.info('not this');
    log.warn('this');
    expect(written.map((line) => JSON.parse(line).msg)).toEqual(['this']);
  });

  test('hides tokens', () => {
    const { log, written } = lines('json');
    log.info({ http: { token: 'abcdefgh' }, token: 'abcdefgh' }, 'settings');
    expect(written[0]).not.toContain('abcdefgh');
  });

  test('writes one readable line for people', () => {
    const { log, written } = lines('text');
    log.warn({ server: '192.0.2.53', note: 'two words', count: 3 }, 'upstream is down');
    expect(written[0]).toMatch(
      /^\d\d:\d\d:\d\d WARN {2}upstream is down {2}server=192\.0\.2\.53 {2}note="two words" {2}count=3\n$/,
    );
  });

  test('lets no value make a line, a field or a terminal sequence of its own', () => {
    const { log, written } = lines('text');
    log.info(
      { name: 'a\nERROR forged', colour: '\u001b[31mred', turn: '\u202eabc', pair: 'x  level=fatal' },
      'first\nsecond',
    );
    expect(written[0]!.match(/\n/g)).toHaveLength(1);
    expect(written[0]).not.toMatch(/[\u001b\u202e]/);
    expect(written[0]).toContain('pair="x  level=fatal"');
  });

  test('shows the stack of an error below its line', () => {
    const { log, written } = lines('text');
    log.error({ err: new Error('disk is full') }, 'audit failed');
    expect(written[0]).toMatch(/ERROR audit failed\n {4}Error: disk is full\n {4} +at /);
  });
});
