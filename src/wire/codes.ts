/** Code points of the DNS, spelled as their RFCs spell them, and their names for people. */

/** Operation codes (RFC 1035 section 4.1.1, RFC 1996, RFC 2136). */
export const Opcode = { QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5, DSO: 6 } as const;

/** Response codes (RFC 1035 section 4.1.1, RFC 6891 section 9). */
export const Rcode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const;
export type Rcode = (typeof Rcode)[keyof typeof Rcode];

/** Classes (RFC 1035 section 3.2.4). */
export const Rrclass = { IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 } as const;

/** Resource record types that Sallyport knows by name; every other is written `TYPEnnn` (RFC 3597). */
export const Rrtype = {
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  SIG: 24,
  KEY: 25,
  PX: 26,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  A6: 38,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  NXNAME: 128,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  RESINFO: 261,
  TA: 32768,
  DLV: 32769,
} as const;

/** Extended DNS error codes (RFC 8914 section 4). */
export const Ede = {
  OTHER: 0,
  STALE_ANSWER: 3,
  FORGED_ANSWER: 4,
  BLOCKED: 15,
  CENSORED: 16,
  FILTERED: 17,
  PROHIBITED: 18,
  STALE_NXDOMAIN_ANSWER: 19,
  NOT_AUTHORITATIVE: 20,
  NOT_SUPPORTED: 21,
  NO_REACHABLE_AUTHORITY: 22,
  NETWORK_ERROR: 23,
  INVALID_DATA: 24,
  INVALID_QUERY_TYPE: 30,
} as const;

/** EDNS option codes (IANA DNS parameters). */
export const EdnsOption = {
  NSID: 3,
  CLIENT_SUBNET: 8,
  COOKIE: 10,
  TCP_KEEPALIVE: 11,
  PADDING: 12,
  EDE: 15,
} as const;

const namesOf = (codes: Record<string, number>): Map<number, string> =>
  new Map(Object.entries(codes).map(([name, code]) => [code, name]));

const TYPE_NAMES = namesOf(Rrtype);
const RCODE_NAMES = namesOf(Rcode);
const CLASS_NAMES = namesOf(Rrclass);
const OPCODE_NAMES = namesOf(Opcode);

/** `A`, `AAAA`, …, or `TYPE731` for a type without a name here (RFC 3597 section 5). */
export const typeName = (type: number): string => TYPE_NAMES.get(type) ?? `TYPE${type}`;

export const rcodeName = (rcode: number): string => RCODE_NAMES.get(rcode) ?? `RCODE${rcode}`;

export const className = (rrclass: number): string => CLASS_NAMES.get(rrclass) ?? `CLASS${rrclass}`;

export const opcodeName = (opcode: number): string => OPCODE_NAMES.get(opcode) ?? `OPCODE${opcode}`;

/** The code of a type given as `AAAA` or `TYPE28`, in any case; `undefined` when it names none. */
export function typeOf(text: string): number | undefined {
  const upper = text.toUpperCase();
  const known = (Rrtype as Record<string, number>)[upper];
  if (known !== undefined) return known;
  const generic = /^TYPE(\d{1,5})$/.exec(upper);
  const code = generic === null ? Number.NaN : Number(generic[1]);
  return code <= 0xffff ? code : undefined;
}
