/**
 * The peers, each set up as its manual advises for one thread and plenty of cache: forwarding all to the authority, no
 * validation, no rate limits, query log only where asked for. Where one logs, each line is with the kernel before the next
 * query, as Sallyport's is before its response: dnsdist's LogAction is told not to buffer.
 */
import { createReadStream, createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { programPath, start } from '../process.ts';
import type { Contender, Setup } from './contender.ts';

const needs = (program: string) => (): string | null =>
  programPath(program) === null ? `${program} is not installed` : null;

const launch = (setup: Setup, command: readonly string[]) =>
  start(command, setup.core, join(setup.directory, 'output.log'));

export const unbound: Contender = {
  name: 'unbound',
  missing: needs('unbound'),
  start(setup) {
    const { directory, port, authorities, denyList, logging } = setup;
    const file = join(directory, 'unbound.conf');
    const lines = [
      'server:',
      '  username: ""',
      '  chroot: ""',
      `  directory: "${directory}"`,
      '  pidfile: ""',
      '  use-syslog: no',
      `  logfile: "${join(directory, 'unbound.log')}"`,
      '  verbosity: 0',
      `  log-replies: ${logging ? 'yes' : 'no'}`,
      '  num-threads: 1',
      '  interface: 127.0.0.1',
      `  port: ${port}`,
      '  access-control: 127.0.0.0/8 allow',
      '  do-not-query-localhost: no',
      '  module-config: "iterator"',
      '  msg-cache-size: 256m',
      '  rrset-cache-size: 512m',
      '  outgoing-range: 8192',
      '  num-queries-per-thread: 4096',
      '  so-rcvbuf: 4m',
      '  so-sndbuf: 4m',
      '  edns-buffer-size: 1232',
      '  minimal-responses: yes',
      ...(denyList === null ? [] : [`  include: "${unboundZones(denyList)}"`]),
      'remote-control:',
      '  control-enable: no',
      'forward-zone:',
      '  name: "."',
      ...authorities.map((authority) => `  forward-addr: 127.0.0.1@${authority}`),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return launch(setup, [programPath('unbound')!, '-d', '-c', file]);
  },
};

export const dnsdist: Contender = {
  name: 'dnsdist',
  missing: needs('dnsdist'),
  start(setup) {
    const { directory, port, authorities, denyList, logging } = setup;
    const file = join(directory, 'dnsdist.conf');
    const lines = [
      'setSecurityPollSuffix("")',
      `setLocal("127.0.0.1:${port}")`,
      'setACL({"127.0.0.0/8"})',
      'setMaxUDPOutstanding(65535)',
      'setUDPSocketBufferSizes(4194304, 4194304)',
      ...authorities.map((authority) => `newServer({address="127.0.0.1:${authority}"})`),
      'getPool(""):setCache(newPacketCache(1000000, {maxTTL=86400}))',
      ...(logging
        ? [
            `addAction(AllRule(), LogAction("${join(directory, 'queries.log')}", false, true, false, false, true))`,
          ]
        : []),
      ...(denyList === null
        ? []
        : [
            'denied = newSuffixMatchNode()',
            `for name in io.lines("${denyList}") do denied:add(newDNSName(name)) end`,
            'addAction(SuffixMatchNodeRule(denied, true), RCodeAction(DNSRCode.NXDOMAIN))',
          ]),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return launch(setup, [programPath('dnsdist')!, '--supervised', '--disable-syslog', '-C', file]);
  },
};

export const dnsmasq: Contender = {
  name: 'dnsmasq',
  missing: needs('dnsmasq'),
  start(setup) {
    const { directory, port, authorities, denyList, logging } = setup;
    const file = join(directory, 'dnsmasq.conf');
    const lines = [
      `port=${port}`,
      'listen-address=127.0.0.1',
      'bind-interfaces',
      'no-resolv',
      'no-hosts',
      'user=',
      `pid-file=${join(directory, 'dnsmasq.pid')}`,
      'cache-size=10000',
      'dns-forward-max=8192',
      ...authorities.map((authority) => `server=127.0.0.1#${authority}`),
      ...(logging ? ['log-queries', `log-facility=${join(directory, 'queries.log')}`] : []),
      ...(denyList === null ? [] : [`conf-file=${dnsmasqZones(denyList)}`]),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return launch(setup, [programPath('dnsmasq')!, '--no-daemon', '-C', file]);
  },
};

const unboundZones = (denyList: string): string => `${denyList}.unbound`;
const dnsmasqZones = (denyList: string): string => `${denyList}.dnsmasq`;

/** Writes the deny list in the peers' own syntax, beside it. dnsdist reads it as it is. */
export async function translateDenyList(denyList: string): Promise<void> {
  await translate(denyList, unboundZones(denyList), (name) => `local-zone: "${name}." always_nxdomain`);
  await translate(denyList, dnsmasqZones(denyList), (name) => `local=/${name}/`);
}

const translate = (from: string, to: string, line: (name: string) => string): Promise<void> =>
  pipeline(
    createInterface({ input: createReadStream(from) }),
    async function* (names: AsyncIterable<string>) {
      for await (const name of names) yield `${line(name)}\n`;
    },
    createWriteStream(to),
  );
