/**
 * Sallyport as it is installed: settings and a policy in files, one worker, audit on disk. The names of the bench are
 * random digits under one suffix, which is what a tunnel looks like, so their rules say `profile: off`; everything else
 * stays switched on.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AuditMode } from '../../src/audit/index.ts';
import { KINDS } from '../load/names.ts';
import { start } from '../process.ts';
import type { Contender, Setup } from './contender.ts';

/** From `dist-bench/bench/peers` back to the checkout. */
export const OWN = fileURLToPath(new URL('../../..', import.meta.url));

export const sallyport = sallyportOf('sallyport', OWN);

/** Keeps no audit at all: see `without-audit/register.ts`. */
const WITHOUT_AUDIT = ['--import', fileURLToPath(new URL('../without-audit/register.js', import.meta.url))];

/** The same in another mode of the audit, or without it. */
export const sallyportIn = (mode: AuditMode | 'without audit', checkout = OWN): Contender =>
  mode === 'without audit'
    ? sallyportOf(mode, checkout, 'bounded', WITHOUT_AUDIT)
    : sallyportOf(mode, checkout, mode);

/** The Sallyport of a checkout that was built; another one than this shows what a change did. */
export function sallyportOf(
  name: string,
  checkout: string,
  mode: AuditMode = 'bounded',
  flags: readonly string[] = [],
): Contender {
  const cli = join(checkout, 'dist/cli/sallyport.js');
  return {
    name,
    missing: () => (existsSync(cli) ? null : `${cli} is not there: run npm run build`),
    start(setup) {
      writeSallyport(setup, mode);
      return startSallyport(setup, cli, flags);
    },
  };
}

/** Port of the control server that belongs to a setup. */
export const controlPort = (setup: Setup): number =>
  setup.port < 32_768 ? setup.port + 20_000 : setup.port - 20_000;

export const auditDirectory = (setup: Setup): string => join(setup.directory, 'audit');

export function startSallyport(
  setup: Setup,
  cli: string = join(OWN, 'dist/cli/sallyport.js'),
  flags: readonly string[] = [],
) {
  const command = [
    process.execPath,
    ...flags,
    cli,
    'serve',
    '--config',
    join(setup.directory, 'sallyport.yaml'),
  ];
  return start(command, setup.core, join(setup.directory, 'output.log'));
}

/** Writes settings and policy. JSON is YAML too. */
function writeSallyport(setup: Setup, mode: AuditMode): void {
  const { directory, port, authorities, denyList } = setup;
  const settings = {
    listen: { addresses: [`127.0.0.1:${port}`] },
    http: { listen: `127.0.0.1:${controlPort(setup)}` },
    workers: 1,
    policies: [join(directory, 'policy.yaml')],
    upstreams: { default: { servers: authorities.map((authority) => `127.0.0.1:${authority}`) } },
    cache: { memory: setup.cacheMemory ?? '256MiB' },
    audit: { directory: auditDirectory(setup), mode },
    ship: setup.ship ?? [],
    detect: { stateDirectory: join(directory, 'detect') },
    limits: { pendingPerClient: 65_535 },
    log: { level: 'info', format: 'json' },
  };
  const names = [`*.${KINDS.hit.suffix}`, `*.${KINDS.miss.suffix}`];
  const policy = {
    sets: {
      bench: {
        allow: [{ names, reason: 'Names of the bench.', profile: 'off' }],
        ...(denyList !== null && {
          lists: [{ file: denyList, action: 'deny', reason: 'Denied names of the bench.' }],
        }),
      },
    },
    groups: { everyone: { clients: ['0.0.0.0/0', '::/0'], sets: ['bench'] } },
  };
  writeFileSync(join(directory, 'sallyport.yaml'), JSON.stringify(settings, null, 2));
  writeFileSync(join(directory, 'policy.yaml'), JSON.stringify(policy, null, 2));
}
