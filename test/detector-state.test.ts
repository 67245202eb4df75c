import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDetectMemory, createSlowView } from '../src/detect/index.ts';
import { openDetectorState, saveDetectorState } from '../src/detector-state.ts';

const SEED = 0x5eed;
let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-state-'));
  file = join(directory, 'state');
  const memory = createDetectMemory();
  new Uint8Array(memory.zones).set([1, 2, 3], 1000);
  saveDetectorState(directory, SEED, memory, createSlowView({}).save());
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the state of the detector', () => {
  test('is read as it was saved, the seed of its hashes with it', () => {
    const { seed, memory, slow, forgotten } = openDetectorState(directory);
    expect({ seed, forgotten }).toEqual({ seed: SEED, forgotten: null });
    expect([...new Uint8Array(memory.zones, 999, 5)]).toEqual([0, 1, 2, 3, 0]);
    expect(slow?.pairs.length).toBe(createSlowView({}).save().pairs.length);
  });

  test.each([
    ['cut short', () => truncateSync(file, 5_000_000)],
    ['longer than it says', () => writeFileSync(file, 'x', { flag: 'a' })],
    ['of another kind', () => writeFileSync(file, 'SALLYPORT-DETECT-0\n....')],
    ['empty', () => truncateSync(file, 0)],
    [
      'with a length that no file has',
      () => {
        const octets = readFileSync(file);
        octets.writeUInt32LE(0xffffffff, 23);
        writeFileSync(file, octets);
      },
    ],
  ])('is forgotten, with the reason, when it is %s', (_, damage) => {
    damage();
    const { memory, slow, forgotten } = openDetectorState(directory);
    expect(forgotten).toMatch(/another version, or damaged/);
    expect(slow).toBeNull();
    expect(new Uint8Array(memory.zones).some((octet) => octet !== 0)).toBe(false);
  });

  test('is new where there was none, and that is no fault', () => {
    rmSync(file);
    expect(openDetectorState(directory).forgotten).toBeNull();
  });
});
