/**
 * One Sallyport for a whole file of tests: its policy allows the test names, and its upstream is the test's own.
 * CONFORMANCE_IO=portable examines the other socket engine.
 */
import { Serving } from '../e2e/processes.ts';

export const POLICY = `
sets:
  names:
    reason: Names of the examination.
    allow:
      - {name: +.example.com, characters: any, profile: 'off', types: [A, AAAA, TXT, CNAME, MX, NS, SOA, PTR, SRV, HTTPS, SVCB, 'NULL', TYPE731, TYPE65399, DNSKEY, DS]}
      - {name: +.example.net, profile: 'off'}
    deny: [{name: +.bad.example.com, reason: Known to be bad.}]
groups:
  here: {clients: [127.0.0.0/8, '::1'], sets: [names]}
local:
  - zone: home.test
    records:
      - '@ SOA ns.home.test. host.home.test. 1 3600 600 86400 300'
      - '@ NS ns.home.test.'
      - '@ A 192.0.2.80'
      - 'ns A 192.0.2.53'
      - 'www CNAME home.test.'
      - '*.wild A 192.0.2.81'
      - 'deep.er A 192.0.2.82'
      - 'MixedCase TXT "as written"'
`;

export const startServing = (
  upstream: string,
  set: Readonly<Record<string, string>> = {},
): Promise<Serving> =>
  Serving.start({
    policy: POLICY,
    upstream,
    ...(process.env['CONFORMANCE_IO'] === 'portable' ? { io: 'portable' as const } : {}),
    listen: ['127.0.0.1:0', '[::1]:0'],
    // The audit's own promises have their own tests; a slow disk of the machine is no part of this examination.
    set: { 'audit.mode': 'open', 'limits.clientDeadline': '1s', 'log.level': 'warn', ...set },
  });

/** Every process ends as it began: alive, without a caught bug. */
export async function faultsOf(serving: Serving): Promise<string[]> {
  const faults: string[] = [];
  if (serving.child.exitCode !== null) return [`ended with ${serving.child.exitCode}: ${serving.stderr}`];
  const { body } = await serving.get('/metrics');
  const panics = /^sallyport_panics_total(?:\{[^}]*\})? (\d+)/m.exec(body)?.[1];
  if (panics !== '0') faults.push(`sallyport_panics_total ${panics}`);
  if (/uncaught|internal error|at .*\.js:\d+/.test(serving.stderr)) faults.push(serving.stderr);
  return faults;
}
