/** Reads the answered numbers that a load generator recorded. */
import { readFileSync } from 'node:fs';
import { Bits } from '../drills/audit-files.ts';
import { KINDS, type Kind } from './names.ts';

export function readRecorded(file: string): Record<Kind, Bits> {
  const content = readFileSync(file);
  let at = 0;
  const take = (): Bits => {
    const length = content.readUInt32LE(at);
    const bits = new Bits(content.subarray(at + 4, at + 4 + length));
    at += 4 + length;
    return bits;
  };
  return Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, take()])) as Record<Kind, Bits>;
}
