/**
 * Rooms and their doors: which room may import which, and by what file. The table is the one of the architecture guide,
 * as data; what differs from it has its reason beside it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Room → rooms it may import. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  net: [],
  metrics: [],
  answer: ['wire'],
  detect: ['wire'],
  // Policies are judged where they are read: `config` compiles nothing, but a faulty rule is told by its reader.
  config: ['wire', 'policy'],
  policy: ['wire'],
  // A cell holds an `Answer` and its rules of age.
  cache: ['wire', 'answer'],
  audit: ['wire'],
  upstream: ['wire', 'net'],
  listen: ['wire', 'net'],
  // Formats of messages; who sends them is for others to know.
  syslog: [],
  checkpoints: ['syslog'],
  control: ['metrics', 'config'],
  query: ['wire', 'net', 'metrics', 'policy', 'cache', 'answer', 'audit', 'upstream', 'listen'],
  // Reports about what the audit holds, for people outside.
  evidence: ['wire', 'config', 'policy', 'audit'],
  // The audit on its way to other systems; settings of sinks as types.
  ship: ['wire', 'config', 'audit', 'syslog'],
  cli: ['wire', 'config', 'policy', 'detect', 'audit', 'control', 'evidence', 'ship'],
};

/** Rooms that are pure: no socket, file, timer or clock of their own; time arrives as an argument. */
const PURE = ['wire', 'answer', 'cache', 'policy', 'detect'];

/** Modules of Node that a pure room may use all the same: functions without effect. */
const PURE_MODULES: Readonly<Record<string, string>> = {
  'node:url': 'domainToASCII, for names written in other scripts',
  'node:net': 'isIPv4 and isIPv6',
  'node:zlib': 'inflateRawSync, for a table that is part of the source',
  'node:module': 'createRequire, for the table of a dependency',
};

/** Doors beside `index.ts`: files of declarations, so that nothing is loaded with them. Room → file → why. */
const DOORS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  upstream: { 'contract.ts': 'the path declares what it needs of upstreams and must not load their sockets' },
  listen: { 'contract.ts': 'the path takes messages of streams and must not load their listeners' },
  net: { 'datagram.ts': 'the interface of sockets, without the native engine behind it' },
  policy: { 'contract.ts': 'verdicts as types' },
  audit: { 'contract.ts': 'entries as types' },
  detect: { 'contract.ts': 'the messages of the detector as types' },
};

/** Entry files that join rooms; rooms may know only these, and only for the reason beside them. */
const ENTRIES_FOR_ROOMS: Readonly<Record<string, string>> = {
  'main.ts': 'cli serve starts it',
  'data-thread.ts': 'cli serve starts the first one before it loads the rest',
  'version.ts': 'a number',
  'explain.ts': 'cli explain and the control room explain alike',
  'policy-loading.ts': 'cli check compiles as the server does',
  'redaction-key.ts': 'cli audit secret-hash hashes as the server does',
};
const ROOMS_WITH_ENTRIES = ['cli'];

/** Files above 400 lines that are one thought. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'answer/read-answer.ts': 'one pass over a reply and the state of it',
  'audit/ledger.ts': 'one file format, written',
  'audit/verify-worker.ts': 'one list of everything that can be wrong with a segment',
  'config/settings.ts': 'one table of settings',
  'detect/fast-path.ts': 'one query judged, and what may hold its client and zone',
  'listen/http/http2-connection.ts': 'one state machine (RFC 9113)',
  'main.ts': 'joins all rooms, in the order in which they start',
  'query/forwarding.ts': 'one flight from asking to answering',
  'query/path.ts': 'the stages of a query in their order, which is part of the security',
  'upstream/exchange.ts': 'one question on its way over several servers',
  'worker.ts': 'joins the rooms of a data thread, in the order in which they start',
};
const LINES_MAX = 400;

interface Import {
  readonly from: string;
  readonly target: string;
  readonly isTypeOnly: boolean;
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

/** Code without comments and without the insides of strings that are no module names. */
const codeOf = (file: string): string =>
  readFileSync(join(SRC, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^\s*\/\/.*$/gm, '');

const IMPORT =
  /(?:^|\n)\s*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|import\(\s*'([^']+)'\s*\)/g;

function importsOf(file: string): Import[] {
  return [...codeOf(file).matchAll(IMPORT)].map((match) => ({
    from: file,
    target: match[3] ?? match[4],
    isTypeOnly: match[2] !== undefined,
  }));
}

const imports = files.flatMap(importsOf);
const own = imports.filter(({ target }) => target.startsWith('.'));

/** `policy/open.ts` → `policy`; entry files have no room. */
const roomOf = (file: string): string | null => (file.includes('/') ? file.split('/')[0] : null);
const pathOf = ({ from, target }: Import): string => relative(SRC, join(SRC, dirname(from), target));
const text = (found: Import): string => `${found.from} imports ${pathOf(found)}`;

test('files and imports were seen at all', () => {
  expect(files.length).toBeGreaterThan(100);
  expect(own.length).toBeGreaterThan(300);
  const rooms = new Set(files.map(roomOf));
  expect(rooms.size).toBeGreaterThanOrEqual(15);
  expect([...rooms].filter((room) => room !== null && !Object.hasOwn(ROOMS, room))).toEqual([]);
  const path = own.filter(({ from }) => from === 'query/path.ts');
  expect(path.find((found) => pathOf(found) === 'listen/contract.ts')).toMatchObject({ isTypeOnly: true });
  expect(path.find((found) => pathOf(found) === 'wire/index.ts')).toMatchObject({ isTypeOnly: false });
});

describe('every import', () => {
  test('spells its ending', () => {
    expect(own.filter(({ target }) => !/\.(ts|json)$/.test(target)).map(text)).toEqual([]);
  });

  test('goes to a room that its own room may know', () => {
    const wrong = own.filter((found) => {
      const room = roomOf(found.from);
      const target = roomOf(pathOf(found));
      if (room === null || target === room) return false;
      if (target === null) {
        return !(ROOMS_WITH_ENTRIES.includes(room) && Object.hasOwn(ENTRIES_FOR_ROOMS, pathOf(found)));
      }
      return !ROOMS[room].includes(target);
    });
    expect(wrong.map(text)).toEqual([]);
  });

  test('enters another room by its door', () => {
    const wrong = own.filter((found) => {
      const target = roomOf(pathOf(found));
      if (target === null || target === roomOf(found.from)) return false;
      const file = pathOf(found).slice(target.length + 1);
      return file !== 'index.ts' && !(found.isTypeOnly && Object.hasOwn(DOORS[target] ?? {}, file));
    });
    expect(wrong.map(text)).toEqual([]);
  });

  test('within a room does not go through the room’s own door', () => {
    const wrong = own.filter((found) => {
      const room = roomOf(found.from);
      return room !== null && pathOf(found) === `${room}/index.ts`;
    });
    expect(wrong.map(text)).toEqual([]);
  });
});

test('rooms know each other in one direction', () => {
  const reaches = (from: string, seen: Set<string>): Set<string> => {
    for (const room of ROOMS[from]) {
      if (seen.has(room)) continue;
      seen.add(room);
      reaches(room, seen);
    }
    return seen;
  };
  for (const room of Object.keys(ROOMS)) expect(reaches(room, new Set())).not.toContain(room);
});

describe.each(PURE)('%s is pure', (room) => {
  const within = (file: string): boolean => roomOf(file) === room;

  test('it uses no module of Node with effects', () => {
    const wrong = imports.filter(
      ({ from, target, isTypeOnly }) =>
        within(from) && target.startsWith('node:') && !isTypeOnly && !Object.hasOwn(PURE_MODULES, target),
    );
    expect(wrong.map(({ from, target }) => `${from} imports ${target}`)).toEqual([]);
  });

  test('it reads no clock, sets no timer and looks at no environment', () => {
    const EFFECT =
      /\b(Date\.now|new Date\(\)|performance\.|process\.|set(?:Timeout|Interval|Immediate)\(|Math\.random|queueMicrotask|console\.)/;
    const wrong = files.filter(within).flatMap((file) => {
      const found = EFFECT.exec(codeOf(file));
      return found === null ? [] : [`${file}: ${found[1]}`];
    });
    expect(wrong).toEqual([]);
  });
});

test(`files have at most ${LINES_MAX} lines, but for those that are one thought`, () => {
  const long = files.filter(
    (file) => readFileSync(join(SRC, file), 'utf8').split('\n').length - 1 > LINES_MAX,
  );
  expect(long.filter((file) => !Object.hasOwn(LONG_FILES, file))).toEqual([]);
});
