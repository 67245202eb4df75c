/**
 * Makes the two data files of the detector: `node bench/detect/train.ts NETRACK_TSV_GZ`.
 *
 * Input: `dns/` of netrack/learn (Apache-2.0), columns tool, label, name, type; only its benign part (label 0, names of a
 * top list) is read. Nothing else goes into the shipped tables, so they carry that licence alone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { deflateRawSync, gunzipSync } from 'node:zlib';
import { COMMON_TOKENS } from '../../src/detect/common-tokens.ts';
import { SYMBOL_COUNT, symbolOf } from '../../src/detect/symbols.ts';

const S = SYMBOL_COUNT;

function benignNames(file: string): string[] {
  const names: string[] = [];
  for (const line of gunzipSync(readFileSync(file)).toString('utf8').split('\n')) {
    const [, label, name] = line.split('\t');
    if (label === '0' && name !== undefined && /^[a-z0-9.-]+$/.test(name)) names.push(name);
  }
  return [...new Set(names)];
}

/** Interpolated trigram model (Witten–Bell), as sixteenths of a bit per symbol given the two before it. */
function model(words: Iterable<[string, number]>): Uint8Array {
  const tri = new Float64Array(S * S * S);
  const bi = new Float64Array(S * S);
  const uni = new Float64Array(S);
  for (const [word, weight] of words) {
    let a = 0;
    let b = 0;
    for (let i = 0; i <= word.length; i++) {
      const c = i === word.length ? 0 : symbolOf(word.charCodeAt(i));
      tri[(a * S + b) * S + c] += weight;
      bi[b * S + c] += weight;
      uni[c] += weight;
      a = b;
      b = c;
    }
  }
  const mix = (counts: Float64Array, at: number, lower: (c: number) => number): Float64Array => {
    let total = 0;
    let kinds = 0;
    for (let c = 0; c < S; c++) {
      total += counts[at + c];
      if (counts[at + c] > 0) kinds++;
    }
    const out = new Float64Array(S);
    for (let c = 0; c < S; c++) out[c] = (counts[at + c] + (kinds + 1) * lower(c)) / (total + kinds + 1);
    return out;
  };
  const p1 = mix(uni, 0, () => 1 / S);
  const bits = new Uint8Array(S * S * S);
  for (let b = 0; b < S; b++) {
    const p2 = mix(bi, b * S, (c) => p1[c]);
    for (let a = 0; a < S; a++) {
      const p3 = mix(tri, (a * S + b) * S, (c) => p2[c]);
      for (let c = 0; c < S; c++)
        bits[(a * S + b) * S + c] = Math.min(255, Math.round(-Math.log2(p3[c]) * 16));
    }
  }
  return bits;
}

const write = (file: string, name: string, about: string, octets: Uint8Array): void => {
  const text = deflateRawSync(octets, { level: 9 }).toString('base64');
  writeFileSync(file, `/**\n * ${about}\n */\nexport const ${name} =\n  '${text}';\n`);
};

const names = benignNames(process.argv[2]);
const words: [string, number][] = COMMON_TOKENS.map((token) => [token, 3]);
for (const name of names) {
  const labels = name.split('.');
  for (const part of labels[0].split('-')) {
    const random = /\d.*\d.*\d/.test(part) || (part.length > 8 && !/[aeiouy]/.test(part)) || part.length > 24;
    if (part.length > 1 && !random) words.push([part, 1]);
  }
}
const source =
  'Made by bench/detect/train.ts from the benign part of netrack/learn (Apache-2.0); do not edit.';
write(
  'src/detect/ngram-table.ts',
  'NGRAM_TABLE',
  `Trigram costs, raw deflate, base64. ${source}`,
  model(words),
);
const popular = names.filter((name) => name.includes('.') && name.length < 32).sort();
write(
  'src/detect/popular-names.ts',
  'POPULAR_NAMES',
  `Names of a top list, one a line, raw deflate, base64. ${source}`,
  Buffer.from(popular.join('\n')),
);
console.log(`${words.length} words, ${popular.length} popular names`);
