/** `sallyport serve`: the resolver. */
import { Command } from 'commander';
import { startDataThread } from '../data-thread.ts';
import type { Service, ServiceAddresses } from '../main.ts';
import { type SettingsFlags, withSettings } from './settings-options.ts';

export function serveCommand(): Command {
  return withSettings(new Command('serve'))
    .description('serve DNS with the settings and policies')
    .option('--lame-duck <seconds>', 'answer so long after a stop was asked for, while not ready', '0')
    .action(serve);
}

async function serve(flags: SettingsFlags & { lameDuck: string }): Promise<void> {
  // Half of a start is loading modules, here and in the first data thread: both at once.
  const firstThread = startDataThread(0);
  const [{ printFaults, readSettings }, { createLog, onSignals }, { Service, ServiceFaults }] =
    await Promise.all([import('./settings-flags.ts'), import('../control/index.ts'), import('../main.ts')]);
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
    lameDuckMs: Number(flags.lameDuck) * 1000,
    onFatal: (why) => {
      log.fatal({ why }, 'the service cannot go on');
      process.exit(1);
    },
  });
  try {
    await service.start();
  } catch (error) {
    if (!(error instanceof ServiceFaults)) {
      // Threads that did start keep the process alive; nothing of them must stay.
      console.error(`sallyport: ${whyNotStarted(error)}`);
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
  greet(service);
}

/** What the kernel said, in words that tell what to do. */
function whyNotStarted(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE' || /EADDRINUSE/.test(message)) {
    return `an address is in use by another process (${message}); choose another with --listen or --http, or end that process`;
  }
  if (code === 'EACCES' || /EACCES/.test(message)) {
    return `not permitted (${message}); ports below 1024 need CAP_NET_BIND_SERVICE`;
  }
  return `could not start: ${message}`;
}

/** What people want to know first; standard output, so that logs stay logs. */
function greet(service: Service): void {
  const { addresses } = service;
  const { engine, engineReason, workers, policies, rules, groups, upstreams, audit, version } =
    service.summary();
  const pools = Object.entries(upstreams).map(
    ([pool, servers]) => `${pool}: ${[...new Set(servers)].join(', ')}`,
  );
  const lines = [
    `Sallyport ${version}`,
    `  serving    ${addressList(addresses)}`,
    `  http       ${addresses.http === null ? 'off' : `http://${hostPort(addresses.http)}/metrics /healthz /readyz /explain`}`,
    `  policy     ${policies.join(', ')}: ${rules} rules, groups ${groups.join(', ')}`,
    `  upstreams  ${pools.length === 0 ? 'none: local zones and denials only' : pools.join('; ')}`,
    `  sockets    ${engine}${engineReason === null ? '' : ` (${engineReason})`}, ${workers} worker${workers === 1 ? '' : 's'}`,
    `  audit      ${audit}`,
    '',
    ...tries(addresses, audit),
  ];
  console.log(lines.join('\n'));
}

const hostPort = ({ address, port }: { address: string; port: number }): string =>
  `${address.includes(':') ? `[${address}]` : address}:${port}`;

function addressList({ listening }: ServiceAddresses): string {
  const byAddress = new Map<string, string[]>();
  for (const { transport, address, port } of listening) {
    const key = hostPort({ address, port });
    byAddress.set(key, [...(byAddress.get(key) ?? []), transport]);
  }
  return [...byAddress].map(([address, transports]) => `${address} (${transports.join(', ')})`).join(', ');
}

function tries({ listening, http }: ServiceAddresses, audit: string): string[] {
  const first = listening.find(({ transport }) => transport === 'udp');
  if (first === undefined) return [];
  const dig = `dig @${first.address} -p ${first.port}`;
  return [
    'Try:',
    `  ${dig} exfil.example.net        # denied, with the reason`,
    `  ${dig} www.sallyport.test       # answered by a local zone`,
    http === null
      ? `  tail -f ${audit}/*.ndjson       # one line for each query`
      : `  curl 'http://${hostPort(http)}/explain?name=example.com&type=A'`,
  ];
}
