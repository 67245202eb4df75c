/**
 * What `serve` prints when it serves: where, with what policy, and what to try. The names to try are of this policy and
 * were judged by it, for whoever asks from this machine: a hint that does not hold would be worse than none.
 */

import { explain } from '../explain.ts';
import type { Service, ServiceAddresses } from '../main.ts';
import type { LoadedPolicy } from '../policy-loading.ts';
import { counted } from './counted.ts';

/** The lines, for standard output: what goes to standard error is the log's. */
export function greeting(service: Service): string {
  const { addresses } = service;
  const { engine, engineReason, workers, policies, rules, groups, upstreams, audit, version } =
    service.summary();
  const pools = Object.entries(upstreams).map(
    ([pool, servers]) => `${pool}: ${[...new Set(servers)].join(', ')}`,
  );
  return [
    `Sallyport ${version}`,
    `  serving    ${addressList(addresses)}`,
    `  http       ${addresses.http === null ? 'off' : `http://${hostPort(addresses.http)}/metrics /healthz /readyz /explain`}`,
    `  policy     ${policies.join(', ')}: ${counted(rules, 'rule')}, groups ${groups.join(', ')}`,
    `  upstreams  ${pools.length === 0 ? 'none: local zones and denials only' : pools.join('; ')}`,
    `  sockets    ${engine}${engineReason === null ? '' : ` (${engineReason})`}, ${counted(workers, 'worker')}`,
    `  audit      ${audit}`,
    ...service.unready().map((why) => `  NOT READY  ${why}`),
    '',
    'Try:',
    ...tries(addresses, service.loaded, audit),
  ].join('\n');
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

/** Three lines or more: tests and people wait for them. */
function tries({ listening, http }: ServiceAddresses, loaded: LoadedPolicy, audit: string): string[] {
  const first = listening.find(({ transport }) => transport === 'udp');
  const server = first === undefined ? null : reachableAddress(first.address);
  const examples = server === null ? [] : examplesFor(loaded, sourceFor(server));
  const asked = examples.map(({ name, gets }) => [`dig @${server} -p ${first?.port} ${name}`, gets]);
  const name = examples[0]?.name ?? 'example.com';
  const rows = [
    ...asked,
    http === null
      ? [`npx sallyport explain ${name}`, 'the rules that spoke, and which won']
      : [`curl 'http://${hostPort(http)}/explain?name=${name}'`, 'the rules that spoke, and which won'],
    [`tail -f ${audit}/*.ndjson`, 'one line for each query'],
  ];
  const width = Math.max(...rows.map(([command]) => command.length).filter((length) => length < 70));
  return rows.map(([command, gets]) => `  ${command.padEnd(width)}  # ${gets}`);
}

/** Where a client of this machine asks: a wildcard is no address to send to. */
const reachableAddress = (address: string): string =>
  address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;

/** Where a question from this machine to that address comes from. */
const sourceFor = (server: string): string => (server.startsWith('127.') ? '127.0.0.1' : server);

interface Example {
  readonly name: string;
  /** What who asks for it gets. */
  readonly gets: string;
}

/** A name that is denied and one that is answered, as far as the policy has such names for that client. */
function examplesFor({ policy, compiled, rules, localNames }: LoadedPolicy, client: string): Example[] {
  const judged = (name: string): ReturnType<typeof explain> =>
    explain(policy, compiled.hashSeed, { name, type: 'A', client }, Date.now());
  const isJudged = (name: string, verdict: string): boolean => {
    const found = judged(name);
    return 'verdict' in found && found.verdict === verdict && !found.observed;
  };
  const byName = (action: 'allow' | 'deny'): string[] =>
    rules.filter((rule) => rule.action === action).flatMap(({ patterns }) => patterns.map(nameUnder));
  const first = judged('example.com');
  if ('verdict' in first && first.verdict === 'refuse') {
    return [{ name: 'example.com', gets: `refused: no group has ${client}; ask from one of its clients` }];
  }
  const denied = [...byName('deny'), 'not-listed.example.net'].find((name) => isJudged(name, 'deny'));
  const local = localNames.find((name) => isJudged(name, 'local'));
  const allowed = byName('allow').find((name) => isJudged(name, 'allow'));
  const examples: Example[] = [];
  if (denied !== undefined) examples.push({ name: denied, gets: 'denied, with the reason' });
  if (local !== undefined) examples.push({ name: local, gets: 'answered by a local zone' });
  else if (allowed !== undefined) examples.push({ name: allowed, gets: 'allowed: asked at an upstream' });
  if (examples.length === 0)
    examples.push({ name: 'example.com', gets: 'answered; what would have been denied is in the audit' });
  return examples;
}

/** A name that the pattern covers. */
const nameUnder = (pattern: string): string => pattern.replace(/^\+\./, '').replace(/^\*\./, 'any.');
