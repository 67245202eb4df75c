/** `sallyport serve`: the resolver. */
import { Command } from 'commander';
import { startDataThread } from '../data-thread.ts';
import { type SettingsFlags, withSettings } from './settings-options.ts';

/** Longer than any supervisor waits before it kills. */
const LAME_DUCK_MS_MAX = 3_600_000;

export function serveCommand(): Command {
  return withSettings(new Command('serve'))
    .description('serve DNS with the settings and policies')
    .option('--lame-duck <seconds>', 'answer so long after a stop was asked for, while not ready', '0')
    .addHelpText('after', EXAMPLES)
    .action(serve);
}

const EXAMPLES = `
Examples:
  sallyport serve                                            with sallyport.yaml of this directory
  sallyport serve -l 0.0.0.0:53 -u 192.0.2.53 -p my-policy.yaml
  sallyport serve --set detect.enabled=false --set cache.memory=16MiB

SIGHUP reads policies and certificates again; on a fault the old ones stay. SIGTERM stops when what is in flight is
answered, a second one at once. Exit code 1: nothing was started, or it could not go on; 2: wrong arguments.`;

async function serve(flags: SettingsFlags & { lameDuck: string }): Promise<void> {
  const lameDuckMs = Number(flags.lameDuck) * 1000;
  if (!(lameDuckMs >= 0 && lameDuckMs <= LAME_DUCK_MS_MAX)) {
    console.error(
      `--lame-duck ${flags.lameDuck}: write seconds from 0 to ${LAME_DUCK_MS_MAX / 1000}, for example 5`,
    );
    process.exitCode = 2;
    return;
  }
  // Half of a start is loading modules, here and in the first data thread: both at once.
  const firstThread = startDataThread(0);
  // It may fail while nobody listens to it yet: an installation that is not whole.
  const failed = new Promise<never>((_, reject) => firstThread.once('error', reject));
  failed.catch(() => {});
  const [{ printFaults, readSettings }, { createLog, onSignals }, { Service, ServiceFaults }, words] =
    await Promise.all([
      import('./settings-flags.ts'),
      import('../control/index.ts'),
      import('../main.ts'),
      import('./greeting.ts'),
    ]);
  const settings = readSettings(flags);
  if (settings === null) {
    await firstThread.terminate();
    return;
  }
  const log = createLog(settings.log);
  const service = new Service({
    settings,
    log,
    firstThread,
    lameDuckMs,
    onFatal: (why) => {
      log.fatal({ why }, 'the service cannot go on');
      process.exit(1);
    },
  });
  // Until it serves, SIGHUP would end the process: what came meanwhile is read when it does.
  let mustReload = false;
  const remember = (): void => {
    mustReload = true;
  };
  process.on('SIGHUP', remember);
  try {
    await Promise.race([service.start(), failed]);
  } catch (error) {
    if (!(error instanceof ServiceFaults)) {
      // Threads that did start keep the process alive; nothing of them must stay.
      const { startTrouble } = await import('./start-trouble.ts');
      console.error(`sallyport: ${startTrouble(error, settings)}`);
      process.exit(1);
    }
    printFaults(error.faults, false);
    console.error('\nThe policy has faults; nothing was started. "sallyport check" shows this list again.');
    process.exit(1);
  }
  onSignals({
    stop: (signal) => void service.stop(signal).then((code) => process.exit(code)),
    reload: () => void service.reload(),
  });
  process.off('SIGHUP', remember);
  console.log(words.greeting(service));
  if (mustReload) await service.reload();
}
