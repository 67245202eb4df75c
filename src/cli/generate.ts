/** `npm run generate`: writes what is published of the schemas, JSON Schema and reference pages, into the checkout. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publishedFiles } from '../config/index.ts';

const top = new URL('../../', import.meta.url);

for (const [path, text] of publishedFiles()) {
  const file = fileURLToPath(new URL(path, top));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  process.stdout.write(`${path}\n`);
}
