/**
 * A self-signed certificate for trying encrypted listeners on one's own machine (X.509 v3, RFC 5280; ECDSA P-256,
 * RFC 5480 and RFC 5758). Node makes keys and signatures; the certificate around them is written here, in DER.
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { readAddress } from './address.ts';
import type { Certificate } from './contract.ts';

const NAMES = ['localhost'];
const ADDRESSES = ['127.0.0.1', '::1'];
/** Clients of today refuse certificates that live longer than 398 days. */
const LIFE_DAYS = 365;
const DAY_MS = 86_400_000;

/** A new key and its certificate, PEM, for localhost, 127.0.0.1 and ::1, valid for a year from `now`; good as a client's, too. */
export function devCertificate(now: Date = new Date()): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const signed = toBeSigned(publicKey, now);
  const signature = sign('sha256', signed, privateKey);
  const der = sequence(signed, sequence(ECDSA_WITH_SHA256), bitString(signature));
  return {
    cert: pem('CERTIFICATE', der),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const SEQUENCE = 0x30;
const SET = 0x31;
/** Context tags: of a certificate, [0] version and [3] extensions; of a SAN, [2] dNSName and [7] iPAddress. */
const context = (number: number, constructed: boolean): number => 0x80 | (constructed ? 0x20 : 0) | number;

const der = (tag: number, ...contents: Uint8Array[]): Buffer => {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  const header =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.from([tag, ...header]), ...contents]);
};
const sequence = (...contents: Uint8Array[]): Buffer => der(SEQUENCE, ...contents);
/** A bit string without unused bits. */
const bitString = (octets: Uint8Array): Buffer => der(BIT_STRING, Uint8Array.of(0), octets);
const text = (value: string): Buffer => der(UTF8_STRING, Buffer.from(value));

/** An object identifier; the ones used here have all their arcs but one below 16384. */
function oid(...arcs: number[]): Buffer {
  const [first, second, ...rest] = arcs;
  const octets = [first * 40 + second];
  for (const arc of rest) {
    if (arc >= 0x80) octets.push(0x80 | (arc >> 7));
    octets.push(arc & 0x7f);
  }
  return der(OBJECT_IDENTIFIER, Uint8Array.from(octets));
}

const ECDSA_WITH_SHA256 = oid(1, 2, 840, 10045, 4, 3, 2);
const COMMON_NAME = oid(2, 5, 4, 3);
const SUBJECT_KEY_IDENTIFIER = oid(2, 5, 29, 14);
const KEY_USAGE = oid(2, 5, 29, 15);
const SUBJECT_ALT_NAME = oid(2, 5, 29, 17);
const BASIC_CONSTRAINTS = oid(2, 5, 29, 19);
const EXTENDED_KEY_USAGE = oid(2, 5, 29, 37);
const SERVER_AUTH = oid(1, 3, 6, 1, 5, 5, 7, 3, 1);
const CLIENT_AUTH = oid(1, 3, 6, 1, 5, 5, 7, 3, 2);

/** TBSCertificate (RFC 5280 section 4.1). */
function toBeSigned(publicKey: KeyObject, now: Date): Buffer {
  const name = sequence(der(SET, sequence(COMMON_NAME, text('Sallyport development'))));
  // An hour back, for clocks that are late. The first bit of a serial number must be 0 and the number not.
  const from = new Date(now.getTime() - 3_600_000);
  const serial = randomBytes(16);
  serial[0] = (serial[0] & 0x3f) | 0x40;
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return sequence(
    der(context(0, true), der(INTEGER, Uint8Array.of(2))),
    der(INTEGER, serial),
    sequence(ECDSA_WITH_SHA256),
    name,
    sequence(utcTime(from), utcTime(new Date(from.getTime() + LIFE_DAYS * DAY_MS))),
    name,
    spki,
    der(context(3, true), sequence(...extensions(spki))),
  );
}

function extensions(spki: Uint8Array): Buffer[] {
  const names = [
    ...NAMES.map((name) => der(context(2, false), Buffer.from(name))),
    ...ADDRESSES.map((address) => der(context(7, false), addressOctets(address))),
  ];
  const digitalSignature = der(BIT_STRING, Uint8Array.of(7, 0x80));
  const keyId = createHash('sha1').update(spki).digest();
  return [
    extension(BASIC_CONSTRAINTS, true, sequence()),
    extension(KEY_USAGE, true, digitalSignature),
    extension(EXTENDED_KEY_USAGE, false, sequence(SERVER_AUTH, CLIENT_AUTH)),
    extension(SUBJECT_ALT_NAME, false, sequence(...names)),
    extension(SUBJECT_KEY_IDENTIFIER, false, der(OCTET_STRING, keyId)),
  ];
}

function extension(id: Buffer, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [der(BOOLEAN, Uint8Array.of(0xff))] : [];
  return sequence(id, ...flag, der(OCTET_STRING, value));
}

function addressOctets(address: string): Uint8Array {
  const { octets, length } = readAddress(address)!;
  return octets.subarray(0, length);
}

/** YYMMDDHHMMSSZ, which RFC 5280 asks for until 2049. */
function utcTime(time: Date): Buffer {
  const digits = time.toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '').slice(2);
  return der(UTC_TIME, Buffer.from(digits));
}

function pem(label: string, octets: Buffer): string {
  const lines = octets.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
