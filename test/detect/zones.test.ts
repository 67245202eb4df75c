import { getDomain, getPublicSuffix } from 'tldts';
import { describe, expect, test } from 'vitest';
import { popularDomains } from '../../src/detect/ngrams.ts';
import { SERVICES } from '../../src/detect/profiles/services.ts';
import { Zones } from '../../src/detect/zones.ts';
import { nameOctets, nameText, Question } from '../../src/wire/index.ts';

const SEED = 0x1234;
const popularNames = Buffer.from(popularDomains()).toString('latin1').split('\n');
const zones = new Zones(SEED, []);
const question = new Question(SEED);

const suffixText = (name: string): string => {
  zones.read(question.set(nameOctets(name), 1));
  return nameText(question.name, question.labelAt[question.labelCount - zones.suffixLabels]);
};

describe('Zones', () => {
  test('cuts every popular name where tldts cuts it', () => {
    const options = { allowPrivateDomains: true };
    const wrong = popularNames
      .map((name) => `a.b.${name}`)
      .filter((name) => suffixText(name) !== getPublicSuffix(name, options));
    expect(wrong).toEqual([]);
  });

  test.each([
    ['www.example.co.uk', 'co.uk', false],
    ['a.b.c.kobe.jp', 'c.kobe.jp', false],
    ['www.city.kobe.jp', 'kobe.jp', false],
    ['x.www.ck', 'ck', false],
    ['x.y.anything.ck', 'anything.ck', false],
    ['tenant.github.io', 'github.io', true],
    ['bucket.s3.amazonaws.com', 's3.amazonaws.com', true],
    ['host.nosuchtld', 'nosuchtld', false],
  ])('finds the suffix of %s', (name, suffix, isShared) => {
    expect(suffixText(name)).toBe(suffix);
    expect(zones.isShared).toBe(isShared);
    expect(getPublicSuffix(name, { allowPrivateDomains: true })).toBe(suffix);
  });

  test('knows every popular domain below its suffix, and every service at its zone', () => {
    const known = new Zones(SEED);
    const strangers = popularNames.filter((name) => {
      known.read(question.set(nameOctets(name), 1));
      return !known.isPopular && !known.isShared && known.service === null;
    });
    expect(strangers).toEqual([]);
    const unknown = SERVICES.filter(({ zone }) => {
      known.read(question.set(nameOctets(zone), 1));
      return known.service === null && !known.isShared;
    });
    expect(unknown.map(({ zone }) => zone)).toEqual([]);
  });

  test('holds a name that is a public suffix to account as a whole', () => {
    zones.read(question.set(nameOctets('co.uk'), 1));
    expect(zones.zoneLabels).toBe(2);
    expect(getDomain('co.uk')).toBeNull();
  });

  test.each([
    ['4z9p5tjmcbnblehp4557z1d136.avqs.mcafee.com', 'reputation', 3],
    ['4.3.2.1.zen.spamhaus.org', 'blocklist', 3],
    ['4.3.2.1.in-addr.arpa', 'reverse', 5],
    ['4.3.168.192.in-addr.arpa', 'local', 4],
    ['kubernetes.default.svc.cluster.local', 'local', 2],
    ['lb._dns-sd._udp.0.1.168.192.in-addr.arpa', 'local', 4],
    ['b._dns-sd._udp.0.1.2.10.in-addr.arpa', 'local', 3],
    ['b._dns-sd._udp.0.2.0.192.in-addr.arpa', 'reverse', 5],
    ['d111111abcdef8.cloudfront.net', 'tenant', 3],
    ['backups.0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com', 'delivery', 3],
    ['c-192-0-2-1.hsd1.ca.comcast.net', 'operator', 2],
  ])('knows %s as %s', (name, kind, zoneLabels) => {
    const known = new Zones(SEED);
    known.read(question.set(nameOctets(name), 1));
    expect(known.service?.service.kind).toBe(kind);
    expect(known.zoneLabels).toBe(zoneLabels);
  });

  test.each([
    // What a tenant has below its own name is the tenant's, whatever the suffix is known for.
    'payload.d111111abcdef8.cloudfront.net',
    'payload.backups.0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com',
    // A reverse zone is known for addresses, not for other labels below a rented prefix.
    'payload.2.1.in-addr.arpa',
    'payload._dns-sd._udp.0.1.168.192.in-addr.arpa',
  ])('knows no service in %s', (name) => {
    const known = new Zones(SEED);
    known.read(question.set(nameOctets(name), 1));
    expect(known.service).toBeNull();
  });
});
