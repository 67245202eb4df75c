/** The policies that are shipped: they load without a word, and decide as their comments say. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addressOctets } from '../../src/config/address.ts';
import { formatFaults, judgeWildcard, loadPolicies } from '../../src/config/index.ts';
import { compilePolicy, openPolicy, type Policy } from '../../src/policy/index.ts';
import { nameOctets, Question, typeOf } from '../../src/wire/index.ts';

const HASH_SEED = 0x5a11;
const NOW_MS = Date.UTC(2026, 10, 21);

function open(file: string): Policy {
  const loaded = loadPolicies({ paths: [`policies/${file}`], pools: ['default', 'vpc'], nowMs: NOW_MS });
  if ('faults' in loaded) throw new Error(formatFaults(loaded.faults));
  expect(formatFaults(loaded.warnings)).toBe('');
  const { compiled, faults } = compilePolicy(loaded.source, {
    hashSeed: HASH_SEED,
    generation: 1,
    judgeWildcard,
  });
  expect(faults).toEqual([]);
  return openPolicy(compiled);
}

/** The verdict in words: `allow <rule> <pool>`, `deny <cause> <response> [observed]`, `local`, `nobody`. */
function verdictOf(policy: Policy, client: string, name: string, type: string): string {
  const address = addressOctets(client);
  if (address === null) throw new Error(client);
  const group = policy.groupOf(address, address.length);
  if (group < 0) return 'nobody';
  const question = new Question(HASH_SEED).set(nameOctets(name), typeOf(type) ?? -1);
  const verdict = policy.judge(group, question, NOW_MS);
  if (verdict.action === 'local') return 'local';
  if (verdict.action === 'allow') return `allow ${verdict.rule.id} ${verdict.pool}`;
  return `deny ${verdict.cause} ${verdict.response.kind}${verdict.observed ? ' observed' : ''}`;
}

const TABLE: Record<string, [client: string, name: string, type: string, verdict: string][]> = {
  'starter.yaml': [
    ['127.0.0.1', 'registry.npmjs.org', 'A', 'allow packages/allow/0 default'],
    ['::1', 'registry.npmjs.org', 'AAAA', 'allow packages/allow/0 default'],
    ['127.0.0.1', 'registry.npmjs.org', 'TXT', 'deny type nodata'],
    ['127.0.0.1', 'evil.registry.npmjs.org', 'A', 'deny not-listed nxdomain'],
    ['127.0.0.1', 'npmjs.org', 'A', 'deny ancestor nodata'],
    ['127.0.0.1', 'github.com', 'HTTPS', 'allow git/allow/0 default'],
    ['127.0.0.1', 'www.example.com', 'A', 'allow basics/allow/1 default'],
    ['127.0.0.1', '0.pool.ntp.org', 'A', 'allow basics/allow/0 default'],
    ['127.0.0.1', 'exfil.example.net', 'A', 'deny denied nxdomain'],
    ['127.0.0.1', 'secret.exfil.example.net', 'TXT', 'deny denied nxdomain'],
    ['127.0.0.1', 'example.net', 'A', 'deny not-listed nxdomain'],
    ['127.0.0.1', 'www.sallyport.test', 'A', 'local'],
    ['192.0.2.1', 'registry.npmjs.org', 'A', 'nobody'],
  ],
  'observe-all.yaml': [
    ['192.0.2.1', 'www.example.com', 'A', 'allow known/allow/0 default'],
    ['2001:db8::1', 'unknown.example.org', 'TXT', 'deny not-listed nxdomain observed'],
    ['192.0.2.1', 'exfil.example.net', 'A', 'deny denied nxdomain observed'],
  ],
  'aws-vpc.yaml': [
    ['10.20.1.5', 'ip-10-20-1-7.ec2.internal', 'A', 'allow internal/allow/0 vpc'],
    ['10.20.1.5', 'ip-10-20-1-7.eu-central-1.compute.internal', 'A', 'allow internal/allow/1 vpc'],
    ['10.20.1.5', 'db.corp.example.com', 'TXT', 'allow internal/allow/2 vpc'],
    ['10.20.1.5', '7.1.20.10.in-addr.arpa', 'PTR', 'allow internal/allow/3 vpc'],
    ['10.20.1.5', '7.1.20.10.in-addr.arpa', 'A', 'deny type nodata'],
    ['10.20.1.5', 'sts.eu-central-1.amazonaws.com', 'A', 'allow aws/allow/0 vpc'],
    ['10.20.1.5', 'sts.amazonaws.com', 'A', 'allow aws/allow/0 default'],
    ['10.20.1.5', 'other-bucket.s3.eu-central-1.amazonaws.com', 'A', 'deny not-listed nxdomain'],
    ['10.20.1.5', 'example-artifacts.s3.eu-central-1.amazonaws.com', 'A', 'allow aws/allow/11 vpc'],
    ['10.20.1.5', 'www.example.com', 'A', 'deny not-listed nxdomain'],
    ['10.20.200.9', 'sts.amazonaws.com', 'A', 'deny not-listed nxdomain'],
    ['10.20.200.9', 'db.corp.example.com', 'A', 'allow internal/allow/2 vpc'],
    ['10.20.255.10', 'cdn.amazonlinux.com', 'A', 'allow updates/allow/0 default'],
    ['10.99.0.1', 'sts.amazonaws.com', 'A', 'nobody'],
  ],
  'kubernetes.yaml': [
    ['10.244.3.4', 'registry.k8s.io', 'A', 'allow images/allow/0 default'],
    ['10.0.4.4', 'ghcr.io', 'AAAA', 'allow images/allow/2 default'],
    ['10.244.3.4', 'legacy-erp.example.com', 'A', 'allow workloads/allow/2 default'],
    ['10.244.3.4', 'api.payments.example.com.ec2.internal', 'A', 'deny denied nxdomain'],
    ['10.244.3.4', 'tunnel.example.net', 'TXT', 'deny not-listed nxdomain'],
    ['192.0.2.1', 'registry.k8s.io', 'A', 'nobody'],
  ],
  'sandbox.yaml': [
    ['172.16.0.9', 'github.com', 'A', 'allow source/allow/0 default'],
    ['172.16.0.9', 'gist.githubusercontent.com', 'A', 'deny not-listed nxdomain'],
    ['172.16.0.9', 'api.llm.example.com', 'A', 'deny not-listed nxdomain'],
    ['172.31.0.9', 'api.llm.example.com', 'A', 'allow model/allow/0 default'],
    ['172.31.0.9', 'api.llm.example.com', 'TXT', 'deny type nodata'],
    ['172.31.0.9', 'c2VjcmV0.attacker.example', 'A', 'deny not-listed nxdomain'],
    ['127.0.0.1', 'dns.google', 'A', 'deny denied nxdomain'],
    ['127.0.0.1', 'use-application-dns.net', 'A', 'deny denied nxdomain'],
  ],
  'office.yaml': [
    ['192.168.10.7', 'www.example.com', 'A', 'allow business/allow/0 default'],
    ['192.168.10.7', 'unknown.example.org', 'A', 'deny not-listed nxdomain observed'],
    ['192.168.20.7', 'unknown.example.org', 'A', 'allow everything/allow/0 default'],
    ['192.168.20.7', 'unknown.example.org', 'TXT', 'deny type nodata'],
    ['192.168.20.7', 'www.malware.example.net', 'A', 'deny denied nxdomain'],
    ['192.168.20.7', 'secret.exfil.example.net', 'A', 'deny denied nxdomain'],
    ['192.168.20.7', 'use-application-dns.net', 'A', 'deny denied nxdomain'],
    ['192.168.30.9', 'firmware.printers.example.com', 'A', 'allow devices/allow/0 default'],
    ['192.168.30.9', 'www.example.com', 'A', 'deny not-listed nodata'],
    ['192.168.10.7', 'wiki.office.test', 'A', 'local'],
    ['192.168.10.7', '5.10.168.192.in-addr.arpa', 'PTR', 'local'],
    ['192.168.30.9', '5.10.168.192.in-addr.arpa', 'PTR', 'deny not-listed nodata'],
  ],
};

test('every shipped policy stands in the table', () => {
  expect(Object.keys(TABLE).sort()).toEqual(
    readdirSync('policies')
      .filter((name) => name.endsWith('.yaml'))
      .sort(),
  );
});

describe.each(Object.entries(TABLE))('%s', (file, rows) => {
  const policy = open(file);

  test.each(rows)('%s asks %s %s: %s', (client, name, type, verdict) => {
    expect(verdictOf(policy, client, name, type)).toBe(verdict);
  });
});

test('the reason of a denial is what the policy file says', () => {
  const policy = open('starter.yaml');
  const group = policy.groupOf(Uint8Array.of(127, 0, 0, 1), 4);
  const verdict = policy.judge(
    group,
    new Question(HASH_SEED).set(nameOctets('x.exfil.example.net'), 1),
    NOW_MS,
  );
  expect(verdict).toMatchObject({ action: 'deny', rule: { ticket: 'EXAMPLE-1' } });
});

test('clients that forward are known as such', () => {
  const groups = [...open('kubernetes.yaml').groups, ...open('aws-vpc.yaml').groups];
  const forwarders = groups.filter(({ forwarder }) => forwarder).map(({ name }) => name);
  expect(forwarders).toEqual(['coredns', 'nodes', 'endpoints']);
});

test('the policy of the README loads without a word', () => {
  const text = /```yaml\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8'))?.[1] ?? '';
  expect(text).toContain('groups:');
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-readme-'));
  try {
    const file = join(directory, 'policy.yaml');
    writeFileSync(file, text);
    const loaded = loadPolicies({ paths: [file], pools: ['default', 'vpc'], nowMs: NOW_MS });
    expect('faults' in loaded ? formatFaults(loaded.faults) : formatFaults(loaded.warnings)).toBe('');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
