import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Fault, loadSettings, type Settings } from '../../src/config/index.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sallyport-settings-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(text: string): string {
  const file = join(directory, 'sallyport.yaml');
  writeFileSync(file, text);
  return file;
}

function settingsOf(request: Parameters<typeof loadSettings>[0]): Settings {
  const outcome = loadSettings(request);
  if ('faults' in outcome) throw new Error(outcome.faults.map(brief).join('\n'));
  return outcome.settings;
}

function faultsOf(request: Parameters<typeof loadSettings>[0]): readonly Fault[] {
  const outcome = loadSettings(request);
  return 'faults' in outcome ? outcome.faults : [];
}

const brief = ({ line, column, path, what, instead }: Fault): string =>
  `${line}:${column} ${path}: ${what}; ${instead}`;

describe('defaults', () => {
  test('are what an empty file gives', () => {
    const settings = settingsOf({ file: write(''), env: {} });
    expect(settings).toMatchObject({
      listen: {
        addresses: [
          { host: '127.0.0.1', port: 1053, family: 4 },
          { host: '::1', port: 1053, family: 6 },
        ],
        tls: { addresses: [] },
        https: { addresses: [], path: '/dns-query' },
      },
      http: { listen: { host: '127.0.0.1', port: 8053 } },
      workers: 'auto',
      io: 'auto',
      upstreams: { default: { servers: [{ transport: 'system' }], strategy: 'fastest', sockets: 128 } },
      cache: {
        memory: 64 * 1024 * 1024,
        ttlMin: 0,
        ttlMax: 86_400_000,
        negativeTtlMax: 3_600_000,
        failureTtl: 5000,
      },
      audit: { mode: 'bounded', reserve: 16 * 1024 * 1024, clients: 'keep' },
      limits: {
        clientDeadline: 3800,
        forwarderDeadline: 1800,
        udpSize: 1232,
        slots: 8192,
        aliasRestarts: 11,
      },
    });
  });

  test('are what the shipped file spells out', () => {
    const shipped = settingsOf({ file: 'sallyport.yaml', env: {} });
    const empty = settingsOf({
      env: {},
      overrides: { policies: 'policies/starter.yaml', 'audit.directory': 'var/audit' },
    });
    expect(shipped).toEqual(empty);
  });

  test('hold when there is no file and none is named', () => {
    const here = process.cwd();
    process.chdir(directory);
    rmSync(join(directory, 'sallyport.yaml'), { force: true });
    try {
      const outcome = loadSettings({ env: {} });
      expect(outcome).toMatchObject({ file: null, settings: { workers: 'auto' } });
    } finally {
      process.chdir(here);
    }
  });
});

describe('variables and flags', () => {
  test.each([
    { env: { SALLYPORT_CACHE_MEMORY: '16MiB' }, path: ['cache', 'memory'], value: 16 * 1024 * 1024 },
    {
      env: { SALLYPORT_CACHE_SERVE_STALE_ENABLED: 'true' },
      path: ['cache', 'serveStale', 'enabled'],
      value: true,
    },
    { env: { SALLYPORT_IO: 'portable' }, path: ['io'], value: 'portable' },
    { env: { SALLYPORT_WORKERS: '4' }, path: ['workers'], value: 4 },
    { env: { SALLYPORT_LIMITS_UDP_SIZE: '1400' }, path: ['limits', 'udpSize'], value: 1400 },
    { env: { SALLYPORT_AUDIT_SEGMENT_AGE: '90s' }, path: ['audit', 'segmentAge'], value: 90_000 },
    {
      env: { SALLYPORT_POLICIES: 'a.yaml, b' },
      path: ['policies'],
      value: [resolve('a.yaml'), resolve('b')],
    },
    {
      env: { SALLYPORT_LISTEN_ADDRESSES: '127.0.0.1:0,[::1]:0' },
      path: ['listen', 'addresses'],
      value: [
        { host: '127.0.0.1', port: 0, family: 4 },
        { host: '::1', port: 0, family: 6 },
      ],
    },
    {
      env: { SALLYPORT_UPSTREAMS_DEFAULT_STRATEGY: 'random', SALLYPORT_UPSTREAMS_DEFAULT_SERVERS: 'system' },
      path: ['upstreams', 'default', 'strategy'],
      value: 'random',
    },
    {
      env: { SALLYPORT_UPSTREAMS_MY_VPC_SERVERS: '192.0.2.2', SALLYPORT_UPSTREAMS_DEFAULT_SERVERS: 'system' },
      path: ['upstreams', 'my-vpc', 'servers', '0', 'text'],
      value: '192.0.2.2',
    },
  ])('$env', ({ env, path, value }) => {
    const settings: unknown = settingsOf({ file: write(''), env });
    expect(path.reduce((inner, key) => (inner as Record<string, unknown>)[key], settings)).toEqual(value);
  });

  test('a variable goes over the file and a flag over both', () => {
    const file = write('cache: {memory: 1MiB, ttlMax: 1h}\nworkers: 1');
    const env = { SALLYPORT_CACHE_MEMORY: '2MiB', SALLYPORT_WORKERS: '2' };
    const settings = settingsOf({ file, env, overrides: { workers: 3, io: undefined } });
    expect(settings.cache.ttlMax).toBe(3_600_000);
    expect(settings.cache.memory).toBe(2 * 1024 * 1024);
    expect(settings.workers).toBe(3);
  });

  test.each([
    { env: { SALLYPORT_CACHE_MEMROY: '1MiB' }, says: 'write SALLYPORT_CACHE_MEMORY' },
    { env: { SALLYPORT_XYZZY_QUUX_FROB: '1' }, says: 'see docs/settings.md' },
    { env: { SALLYPORT_WORKERS: 'many' }, says: '"many" is not a number of workers; write "auto"' },
    { env: { SALLYPORT_DETECT_ENABLED: 'yes' }, says: 'write true or false' },
    { env: { SALLYPORT_CACHE_MEMORY: '64' }, says: '"64MiB"' },
    { env: { SALLYPORT_UPSTREAMS_DEFAULT_SERVERS: 'system,nine' }, says: '"nine" is not an IP address' },
  ])('$env is a fault', ({ env, says }) => {
    const [fault] = faultsOf({ file: write(''), env });
    expect(fault.file).toBe(Object.keys(env)[0]);
    expect(`${fault.what}; ${fault.instead}`).toContain(says);
  });

  test('variables that Kubernetes makes for services of that name are left alone', () => {
    const env = {
      SALLYPORT_SERVICE_HOST: '10.96.0.53',
      SALLYPORT_SERVICE_PORT: '53',
      SALLYPORT_SERVICE_PORT_DNS_TCP: '53',
      SALLYPORT_PORT: 'udp://10.96.0.53:53',
      SALLYPORT_PORT_53_UDP: 'udp://10.96.0.53:53',
      SALLYPORT_PORT_53_UDP_ADDR: '10.96.0.53',
      SALLYPORT_HTTP_SERVICE_HOST: '10.96.0.54',
      SALLYPORT_HTTP_PORT: 'tcp://10.96.0.54:8053',
    };
    expect(faultsOf({ file: write(''), env })).toEqual([]);
  });

  test('SALLYPORT_CONFIG names the file', () => {
    expect(settingsOf({ env: { SALLYPORT_CONFIG: write('workers: 7') } }).workers).toBe(7);
  });

  test('an unknown flag is a fault that names the nearest', () => {
    const [fault] = faultsOf({ file: write(''), env: {}, overrides: { 'cache.memroy': '1MiB' } });
    expect(fault).toMatchObject({ file: 'cache.memroy', instead: 'write cache.memory' });
  });
});

describe('paths', () => {
  test('in the file are relative to the file, in variables to the working directory', () => {
    const file = write(
      'policies: [p]\naudit: {directory: a}\nupstreams: {default: {servers: [system], caFile: ca.pem}}',
    );
    const settings = settingsOf({ file, env: { SALLYPORT_AUDIT_DIRECTORY: 'b' } });
    expect(settings.policies).toEqual([join(directory, 'p')]);
    expect(settings.upstreams['default'].caFile).toBe(join(directory, 'ca.pem'));
    expect(settings.audit.directory).toBe(resolve('b'));
    expect(settings.detect.stateDirectory).toBe(join(directory, 'var/detect'));
  });
});

describe('faults', () => {
  test.each([
    {
      text: 'cache: {memory: 64}',
      says: '1:17 cache.memory: 64 must be a size with its unit; write for example "64MiB"',
    },
    {
      text: 'cache: {ttlMax: 3 weeks}',
      says: '1:17 cache.ttlMax: "3 weeks" is not a time with a unit; write for example "1d"',
    },
    {
      text: 'audit: {segmentSize: 2GiB}',
      says: '1:22 audit.segmentSize: 2GiB is too much; write at most 1GiB',
    },
    { text: 'cache: {ttlMax: 8d}', says: '1:17 cache.ttlMax: 8d is too much; write at most 7d' },
    {
      text: 'cache: {ttlMin: 30m, ttlMax: 10m}',
      says: '1:17 cache.ttlMin: ttlMin is above ttlMax; write the smaller time here',
    },
    { text: 'cahce: {}', says: '1:1 cahce: there is no key "cahce" here; write "cache"' },
    { text: 'cache:', says: '1:7 cache: there is no value; write a mapping' },
    {
      text: 'limits: {slots: "12"}',
      says: '1:17 limits.slots: "12" cannot stand here; write a number',
    },
    {
      text: 'limits: {tcpOutput: 4MiB, tcpOutputTotal: 1MiB}',
      says: '1:43 limits.tcpOutputTotal: tcpOutputTotal is below tcpOutput, which one client may leave unread; write at least as much here',
    },
    {
      text: 'limits: {tlsHandshakesPerSecond: 0}',
      says: '1:34 limits.tlsHandshakesPerSecond: 0 is too little; write at least 4',
    },
    { text: 'limits: {tcpAge: 1s}', says: '1:18 limits.tcpAge: 1s is too little; write at least 10s' },
    {
      text: 'limits: {tlsHandshake: 1h}',
      says: '1:24 limits.tlsHandshake: 1h is too much; write at most 1m',
    },
    {
      text: 'limits: {http2Streams: 5000}',
      says: '1:24 limits.http2Streams: 5000 is too much; write at most 1000',
    },
    { text: 'limits: {http2Resets: 0}', says: '1:23 limits.http2Resets: 0 is too little; write at least 1' },
    { text: 'limits: {udpSize: 100}', says: '1:19 limits.udpSize: 100 is too little; write at least 512' },
    { text: 'limits: {slots: 1.5}', says: '1:17 limits.slots: 1.5 cannot stand here; write a whole number' },
    { text: 'workers: 0', says: '1:10 workers: 0 is too little; write at least 1' },
    {
      text: 'audit: {mode: lose}',
      says: '1:15 audit.mode: "lose" cannot stand here; write "strict", "bounded" or "open"',
    },
    {
      text: 'audit: {checkpoints: [{every: 5s}]}',
      says: '1:23 audit.checkpoints[0]: nothing says where checkpoints go; write "file: /mnt/other/checkpoints.ndjson"',
    },
    {
      text: 'audit: {checkpoints: [{file: a, syslog: "127.0.0.1:514"}]}',
      says: 'audit.checkpoints[0]: an entry is one place; write "file:',
    },
    {
      text: 'audit: {checkpoints: [{webhook: "http://receiver.example/"}]}',
      says: 'is not encrypted, and receiver.example is another machine; write it with https://',
    },
    {
      text: 'audit: {checkpoints: [{webhook: "https://u:p@receiver.example/"}]}',
      says: 'holds a password; write it without, and "tokenFile: /path/to/token"',
    },
    {
      text: 'audit: {checkpoints: [{syslog: logs.example}]}',
      says: '"logs.example" is not a host with a port; write for example "logs.example:6514"',
    },
    {
      text: 'audit: {checkpoints: [{file: a, transport: udp}]}',
      says: 'audit.checkpoints[0].transport: "transport" means nothing for a file; write it in an entry with syslog',
    },
    {
      text: 'audit: {clients: pseudonymise}',
      says: 'pseudonyms need a key; write "pseudonyms: {rotate: 24h}"',
    },
    {
      text: 'audit: {clients: pseudonymise, pseudonymKeyFile: k, pseudonyms: {rotate: 24h}}',
      says: 'exclude each other; write one of pseudonymKeyFile and pseudonyms.rotate',
    },
    {
      text: 'audit: {pseudonyms: {rotate: 30s}}',
      says: '1:30 audit.pseudonyms.rotate: a period is whole seconds and at least a minute; write for example "24h"',
    },
    {
      text: 'http: {listen: 0.0.0.0:80}',
      says: '1:16 http.listen: 0.0.0.0 is open to other machines and there is no token; write "tokenFile:',
    },
    {
      text: 'http: {token: short}',
      says: '1:15 http.token: a token shorter than 16 characters can be guessed; write at least 16',
    },
    { text: 'listen: {addresses: []}', says: 'no listener has an address; write for example addresses:' },
    {
      text: 'listen: {addresses: [127.0.0.1]}',
      says: '1:22 listen.addresses[0]: "127.0.0.1" has no port; write for example "127.0.0.1:1053"',
    },
    { text: 'listen: {addresses: ["::1:53"]}', says: 'has no port, and an IPv6 address stands in brackets' },
    { text: 'listen: {addresses: ["localhost:53"]}', says: '"localhost" is not an IP address' },
    { text: 'listen: {addresses: ["127.0.0.1:70000"]}', says: 'port 70000 is above 65535' },
    { text: 'listen: {tls: {addresses: ["0.0.0.0:853"]}}', says: 'needs a certificate; write "certificate:' },
    {
      text: 'listen: {https: {addresses: ["127.0.0.1:8443"], plain: true, dev: true}}',
      says: '"plain: true" speaks no TLS and has no use for "dev"',
    },
    {
      text: 'listen: {https: {trustedProxies: [10.0.0.1/8]}}',
      says: 'has bits set behind its prefix; write "10.0.0.0/8"',
    },
    {
      text: 'upstreams: {vpc: {servers: [system]}}',
      says: '1:12 upstreams: there is no pool named "default"; write for example "default:',
    },
    {
      text: 'upstreams: {Default: {servers: [system]}}',
      says: '1:13 upstreams.Default: a pool name has lower-case letters',
    },
    { text: 'upstreams: {default: {servers: []}}', says: 'the list is empty; write at least 1 entry' },
    { text: 'upstreams: {default: {}}', says: '"servers" is missing; write a list' },
    {
      text: 'upstreams: {default: {servers: [192.0.2.1, "tls://192.0.2.1"]}}',
      says: '1:33 upstreams.default.servers[0]: "192.0.2.1" is not encrypted and other servers of the pool are; write it as "tls://',
    },
    {
      text: 'upstreams: {default: {servers: ["tls://dns.example"]}}',
      says: 'nobody knows the address of "dns.example"; write "bootstrap: [192.0.2.53]"',
    },
    {
      text: 'upstreams: {default: {servers: [system], spki: [abc]}}',
      says: '"abc" is not a pin; write the base64',
    },
    {
      text: 'upstreams: {default: {servers: [system], bootstrap: [dns.example]}}',
      says: '"dns.example" cannot stand here; write an IP address',
    },
    { text: '- a', says: '1:1 : a list cannot stand here; write a mapping' },
    { text: 'a: [', says: 'this is not YAML' },
  ])('$text', ({ text, says }) => {
    expect(
      faultsOf({ file: write(text), env: {} })
        .map(brief)
        .join('\n'),
    ).toContain(says);
  });

  test('come all at once, from file, variables and flags', () => {
    const file = write('cache: {memory: 1}\nlog: {level: loud}');
    const faults = faultsOf({ file, env: { SALLYPORT_IO: 'fast' }, overrides: { workers: -1 } });
    expect(faults.map(({ path }) => path).sort()).toEqual(['cache.memory', 'io', 'log.level', 'workers']);
  });

  test.each([
    'http: {token: 123456789, listen: x}',
    'http: {token: [hunter2]}',
    'http: {token: "hunter2", listen: 1}',
  ])('do not show the token of %s', (text) => {
    const faults = faultsOf({ file: write(text), env: {} });
    expect(faults.length).toBeGreaterThan(0);
    expect(JSON.stringify(faults)).not.toMatch(/hunter2|123456789/);
  });

  test('name a file that is not there', () => {
    const [fault] = faultsOf({ file: join(directory, 'none.yaml'), env: {} });
    expect(fault).toMatchObject({ line: 0, what: 'there is no such file' });
    expect(fault.instead).toContain('write the path of a settings file');
  });
});
