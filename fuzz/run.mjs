/**
 * `npm run fuzz -- [--seconds 60] [--seed N] [--live]`: near-valid queries through the query path and near-valid replies
 * through the reader of answers; with --live also over UDP and TCP to a running Sallyport between a client and an upstream
 * that both lie. What breaks a promise is written to fuzz/corpus/, which the test suite replays from then on.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000_007) },
    live: { type: 'boolean', default: false },
  },
});
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const child = spawn(
  process.execPath,
  [here('../node_modules/vitest/vitest.mjs'), 'run', '--config', here('./vitest.config.ts')],
  {
    stdio: 'inherit',
    cwd: here('..'),
    env: {
      ...process.env,
      FUZZ_SECONDS: values.seconds,
      FUZZ_SEED: values.seed,
      FUZZ_LIVE: values.live ? '1' : '',
      // A live run needs the compiled program; the others run from source.
      PREBUILT: values.live ? (process.env.PREBUILT ?? '') : '1',
    },
  },
);
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
