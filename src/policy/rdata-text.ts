/** RDATA from its presentation form, uncompressed, for the types that a local zone may hold. */
import { Rrtype, typeName } from '../wire/index.ts';
import { join, nameAt, RecordError, stringOctets, ttlSeconds, type Word } from './master-line.ts';
import { ipv4Octets, ipv6Octets, numberOf, u16Octets, u16Of } from './record-values.ts';
import { serviceBinding } from './service-binding.ts';

type ReadRdata = (words: readonly Word[], origin: Uint8Array) => Uint8Array;

interface RdataFormat {
  /** What is written behind the type, for reports. */
  readonly example: string;
  readonly words: number | 'some';
  readonly read: ReadRdata;
}

const nameOnly = (example: string): RdataFormat => ({
  example,
  words: 1,
  read: ([name], origin) => nameAt(name.text, origin),
});

const binding = (example: string): RdataFormat => ({ example, words: 'some', read: serviceBinding });

const FORMATS = new Map<number, RdataFormat>([
  [Rrtype.A, { example: 'A 192.0.2.1', words: 1, read: ([address]) => ipv4Octets(address.text) }],
  [Rrtype.AAAA, { example: 'AAAA 2001:db8::1', words: 1, read: ([address]) => ipv6Octets(address.text) }],
  [Rrtype.CNAME, nameOnly('CNAME www.corp.example.')],
  [Rrtype.NS, nameOnly('NS ns1.corp.example.')],
  [Rrtype.PTR, nameOnly('PTR host.corp.example.')],
  [
    Rrtype.MX,
    {
      example: 'MX 10 mail.corp.example.',
      words: 2,
      read: ([preference, name], origin) => join(u16Of(preference, 'preference'), nameAt(name.text, origin)),
    },
  ],
  [
    Rrtype.SRV,
    {
      example: 'SRV 10 5 5060 sip.corp.example.',
      words: 4,
      read: ([priority, weight, port, name], origin) =>
        join(
          u16Of(priority, 'priority'),
          u16Of(weight, 'weight'),
          u16Of(port, 'port'),
          nameAt(name.text, origin),
        ),
    },
  ],
  [
    Rrtype.SOA,
    {
      example: 'SOA ns1.corp.example. hostmaster.corp.example. 1 3600 600 604800 300',
      words: 7,
      read: ([primary, mailbox, ...numbers], origin) =>
        join(nameAt(primary.text, origin), nameAt(mailbox.text, origin), ...numbers.map(u32Of)),
    },
  ],
  [
    Rrtype.TXT,
    { example: 'TXT "some text"', words: 'some', read: (words) => join(...words.map(characterString)) },
  ],
  [
    Rrtype.CAA,
    {
      example: 'CAA 0 issue "ca.example.net"',
      words: 3,
      read: ([flags, tag, value]) => {
        if (!/^[a-z0-9]{1,15}$/i.test(tag.text)) {
          throw new RecordError(`"${tag.text}" is not a property tag`, 'CAA 0 issue "ca.example.net"');
        }
        const tagOctets = stringOctets(tag.text.toLowerCase());
        return join([numberOf(flags, 'flags', 255)], [tagOctets.length], tagOctets, stringOctets(value.text));
      },
    },
  ],
  [Rrtype.HTTPS, binding('HTTPS 1 . alpn=h2,h3')],
  [Rrtype.SVCB, binding('SVCB 1 dns.corp.example. alpn=dot port=853')],
]);

/** Types that questions and transactions use; no zone holds them (RFC 6895 section 3.1), nor what is signed elsewhere. */
const isStorable = (type: number): boolean => type !== 0 && type !== Rrtype.OPT && (type < 128 || type > 255);

/** Reads RDATA; throws RecordError with what is wrong. */
export function rdataOf(type: number, words: readonly Word[], origin: Uint8Array): Uint8Array {
  if (!isStorable(type)) {
    throw new RecordError(
      `${typeName(type)} is a type for questions, not for records`,
      'a type like A or TXT',
    );
  }
  const format = FORMATS.get(type);
  if (words[0]?.text === '\\#') {
    // Octets of a known type would have to be checked as thoroughly as its text; other code trusts the names in them.
    if (format !== undefined) throw new RecordError(`${typeName(type)} is written as text`, format.example);
    return genericRdata(words.slice(1));
  }
  if (format === undefined) {
    throw new RecordError(
      `RDATA of type ${typeName(type)} cannot be written as text here`,
      `its octets as "${typeName(type)} \\# 4 c0000201" (RFC 3597)`,
    );
  }
  const hasCount = format.words === 'some' ? words.length > 0 : words.length === format.words;
  if (!hasCount) {
    const wanted = format.words === 'some' ? 'at least one' : String(format.words);
    throw new RecordError(
      `${typeName(type)} takes ${wanted} ${wanted === '1' ? 'value' : 'values'}, not ${words.length}`,
      format.example,
    );
  }
  try {
    return format.read(words, origin);
  } catch (error) {
    if (error instanceof RecordError && error.instead === '')
      throw new RecordError(error.message, format.example);
    throw error;
  }
}

/** `\# length hex` (RFC 3597 section 5). */
function genericRdata([length, ...hex]: readonly Word[]): Uint8Array {
  const digits = hex.map((word) => word.text).join('');
  const octets = Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  if (!/^([0-9a-f]{2})*$/i.test(digits) || length === undefined || Number(length.text) !== octets.length) {
    throw new RecordError(
      'the octets behind "\\#" do not match their length',
      '"\\# 4 c0000201": a count, then as many octets in hex',
    );
  }
  return octets;
}

/** One value of TXT: at most 255 octets, its length in front. */
function characterString({ text }: Word): Uint8Array {
  const octets = stringOctets(text);
  if (octets.length > 255) {
    throw new RecordError(
      `a text is ${octets.length} octets long; at most 255 are allowed`,
      'several texts: TXT "first part" "second part"',
    );
  }
  return join([octets.length], octets);
}

/** Numbers of an SOA; its times may have units. */
function u32Of(word: Word): number[] {
  const value = ttlSeconds(word.text);
  if (value === null || value > 0xffff_ffff)
    throw new RecordError(`"${word.text}" is not a number of 32 bits`, '');
  return [...u16Octets(Math.floor(value / 0x1_0000)), ...u16Octets(value % 0x1_0000)];
}
