import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { publishedFiles } from '../../src/config/index.ts';

describe('what is published of the schemas', () => {
  test.each([...publishedFiles()])('%s is what `npm run generate` would write', (path, text) => {
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test.each([...publishedFiles()].filter(([path]) => path.endsWith('.json')))(
    '%s describes every field',
    (_, text) => {
      const without = undescribed(JSON.parse(text), '');
      expect(without).toEqual([]);
    },
  );
});

describe('shipped YAML files name their schema for editors', () => {
  const files = [
    'sallyport.yaml',
    ...readdirSync('policies')
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => `policies/${name}`),
  ];

  test('there are some', () => expect(files.length).toBeGreaterThan(5));

  test.each(files)('%s', (file) => {
    const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(readFileSync(file, 'utf8'))?.[1];
    expect(schema).toBeDefined();
    expect(existsSync(new URL(schema ?? '', new URL(file, `file://${process.cwd()}/`)))).toBe(true);
  });
});

interface Node {
  readonly description?: string;
  readonly properties?: Record<string, Node>;
  readonly items?: Node;
  readonly additionalProperties?: Node | false;
  readonly anyOf?: Node[];
}

function undescribed(node: Node, path: string): string[] {
  const inner = [node.items, node.additionalProperties || undefined, ...(node.anyOf ?? [])].filter(
    (one) => one !== undefined,
  );
  return [
    ...Object.entries(node.properties ?? {}).flatMap(([key, value]) => [
      ...(value.description === undefined ? [`${path}.${key}`] : []),
      ...undescribed(value, `${path}.${key}`),
    ]),
    ...inner.flatMap((one) => undescribed(one, path)),
  ];
}
