/** Reverse zones, numbers, and names that stay in the local network. */
import { of, type Service } from './service.ts';

/** Domains for service discovery, asked below the reverse name of a network (RFC 6763 section 11). */
const DISCOVERY_LABELS = "a:1-2 '_dns-sd' '_udp'";
const DISCOVERY = `${DISCOVERY_LABELS} ip4`;
/** The same below a zone that ends the address: with one to so many of its octets left. */
const discoveryBelow = (octets: number): string[] =>
  Array.from({ length: octets }, (_, i) => [DISCOVERY_LABELS, ...Array(i + 1).fill('d:1-3')].join(' '));

export const LOCAL: readonly Service[] = [
  // Reverse lookup. Nobody can rent more of a place than the prefix below which the zone is cut (REVERSE_CUTS).
  of(
    'reverse',
    'reverse lookup of IPv4 addresses (RFC 1035) and of RFC 2317 zones',
    '+d:1-3',
    DISCOVERY,
  )('in-addr.arpa'),
  of(
    'local',
    'reverse lookup of private addresses (RFC 6303, 1918, 4193, 6598)',
    '+d:1-3',
    ...discoveryBelow(3),
  )(
    '10.in-addr.arpa',
    '127.in-addr.arpa',
    '254.169.in-addr.arpa',
    '168.192.in-addr.arpa',
    ...Array.from({ length: 16 }, (_, i) => `${16 + i}.172.in-addr.arpa`),
    ...Array.from({ length: 64 }, (_, i) => `${64 + i}.100.in-addr.arpa`),
  ),
  of('local', 'reverse lookup of private IPv6 addresses (RFC 4193, 4291)', '+x:1')(
    'c.f.ip6.arpa',
    'd.f.ip6.arpa',
    '8.e.f.ip6.arpa',
    '9.e.f.ip6.arpa',
    'a.e.f.ip6.arpa',
    'b.e.f.ip6.arpa',
  ),
  of('reverse6', 'reverse lookup of IPv6 addresses (RFC 3596)', '+x:1')('ip6.arpa', 'ip6.int'),
  of('local', 'telephone numbers and the names of this network', '+d:1')('e164.arpa'),

  // Names that never reach a server of a stranger: special use (RFC 6761, 6762, 8375, 9476) and reserved by custom.
  of('local', 'names of the local network', '+o:1-63')(
    'local',
    'localdomain',
    'localhost',
    'home.arpa',
    'internal',
    'lan',
    'home',
    'corp',
    'intranet',
    'private',
    'domain',
    'workgroup',
    'invalid',
    'onion',
    'alt',
    'resolver.arpa',
    'svc',
    'localnet',
    'mshome.net',
    'fritz.box',
    'speedport.ip',
    'cluster.local',
    'consul',
    'docker',
    'dhcp',
    'router',
    'gateway',
    'mail',
    'ad',
    'bind',
    'server',
    'ipv4only.arpa',
    'service.arpa',
  ),
].flat();
