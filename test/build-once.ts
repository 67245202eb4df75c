/**
 * Compiles `src` once before the suite: worker threads and the CLI run as compiled JavaScript on every Node.
 * PREBUILT=1 leaves that out, for who has just compiled.
 */
import { spawnSync } from 'node:child_process';

export default function buildOnce(): void {
  if (process.env['PREBUILT'] === '1') return;
  const built = spawnSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  if (built.status !== 0) throw new Error('npm run build failed; the errors are above');
}
