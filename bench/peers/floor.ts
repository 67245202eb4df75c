/** The echo server in C below which no UDP server on this kernel can be. Compiled on the spot where there is a compiler. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programPath, start } from '../process.ts';
import type { Contender } from './contender.ts';

/** From `dist-bench/bench/peers` back to where the source stands. */
const SOURCE = fileURLToPath(new URL('../../../bench/peers/floor.c', import.meta.url));

export const floor: Contender = {
  name: 'echo in C',
  missing: () => (programPath('cc') === null ? 'cc is not installed' : null),
  start({ directory, port, core }) {
    const program = join(directory, 'floor');
    const compiled = spawnSync('cc', ['-O2', '-o', program, SOURCE], { encoding: 'utf8' });
    if (compiled.status !== 0) throw new Error(`cc failed: ${compiled.stderr}`);
    return start([program, String(port)], core, join(directory, 'output.log'));
  },
};
