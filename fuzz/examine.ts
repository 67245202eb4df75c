/** The promises that are looked at for each message: what it says, or null when they were kept. */
import { type Answer, AnswerReader } from '../src/answer/index.ts';
import { DATAGRAM_CAPACITY } from '../src/net/index.ts';
import { MALFORMED, type Question, Question as QuestionClass } from '../src/wire/index.ts';
import { read } from '../test/conformance/message.ts';
import { House } from '../test/query/house.ts';

const SEED = 77;

const POLICY = `
sets:
  names:
    reason: Everything that is not local.
    allow: [{name: +.example.com, characters: any, types: [A, AAAA, TXT, CNAME, MX, NS, SOA, HTTPS, TYPE731]}]
    deny: [{name: +.bad.example.com, reason: Known to be bad.}]
groups:
  here: {clients: [192.0.2.0/24], sets: [names], mode: MODE}
local:
  - {zone: home.test, records: ['@ A 192.0.2.80', 'www CNAME @', 'out CNAME www.example.com.']}
`;

/** Longer than a datagram's place: what does not fit is cut off by the socket, and marked. */
export const QUERY_LENGTH_MAX = DATAGRAM_CAPACITY + 500;
const RESPONSE_MAX = 1232;
const ASKS_MAX = 40;

/** The path, with an upstream that answers by `answer`. One that observes and one that enforces, by turns. */
export class PathExaminer {
  #houses: House[];
  #count = 0;

  constructor() {
    this.#houses = PathExaminer.#open();
  }

  static #open(): House[] {
    return ['enforce', 'observe'].map((mode) => new House(POLICY.replace('MODE', mode)));
  }

  async examine(octets: Uint8Array, answer: (asked: number) => Uint8Array): Promise<string | null> {
    // Houses keep all they heard; new ones now and then keep memory where it is.
    if (++this.#count % 5000 === 0) this.#houses = PathExaminer.#open();
    const house = this.#houses[this.#count % 2];
    const entriesBefore = house.audit.entries.length;
    house.socket.sent.length = 0;
    house.asked.length = 0;
    try {
      house.receive({
        octets: octets.subarray(0, DATAGRAM_CAPACITY),
        truncated: octets.length > DATAGRAM_CAPACITY,
      });
      for (let asked = 0; asked < house.asked.length && asked < ASKS_MAX; asked++) {
        const reply = answer(asked);
        // Only what matches header and question gets past the upstream room; the id is not looked at any more here.
        if (reply.length >= 12) house.asked[asked].answer(reply);
        else house.asked[asked].fail('timeout');
        await Promise.resolve();
        await Promise.resolve();
      }
      house.pass(10);
    } catch (error) {
      return `threw ${String(error)}`;
    }
    if (house.bugs.length > 0) return `a bug was caught: ${String(house.bugs.splice(0)[0])}`;
    const silent = octets.length < 12 || (octets[2] & 0x80) !== 0;
    const entries = house.audit.entries.length - entriesBefore;
    const sent = house.socket.sent.splice(0);
    if (silent)
      return sent.length === 0 && entries === 0 ? null : 'what is no query was answered or recorded';
    if (entries !== 1) return `${entries} entries for one query`;
    if (sent.length !== 1) return `${sent.length} responses to one query`;
    return responseFault(octets, sent[0]);
  }
}

/** What is wrong with a response to `query`, read strictly. */
export function responseFault(
  query: Uint8Array,
  response: Buffer,
  responseMax = RESPONSE_MAX,
): string | null {
  try {
    const seen = read(response);
    if (!seen.flags.has('qr')) return 'a response without QR';
    if (seen.id !== ((query[0] << 8) | query[1])) return 'a response with another id';
    if (seen.opcode !== ((query[2] >> 3) & 15)) return 'a response with another opcode';
    if (response.length > responseMax) return `a response of ${response.length} octets`;
    if (seen.questions.length > 1) return 'a response with several questions';
    if (
      seen.questions.length === 1 &&
      !response
        .subarray(12, 12 + seen.questions[0].length)
        .equals(Buffer.from(query.subarray(12, 12 + seen.questions[0].length)))
    ) {
      return 'another question came back';
    }
    if (seen.flags.has('z')) return 'Z is set';
    if (seen.opt !== null && (seen.opt.version !== 0 || (seen.opt.flags & 0x7fff) !== 0))
      return 'an OPT with another version or flags';
    return null;
  } catch (error) {
    return `a response that cannot be read: ${String(error)}`;
  }
}

const reader = new AnswerReader();
const POISONS = [[0], [0xff], [0xc0, 12], [1, 97]];

/** A reply through the reader of answers: never a throw, never an octet from behind its end, a body that reads well. */
export function examineReply(octets: Uint8Array, dnssecOk: boolean): string | null {
  if (octets.length < 12) return null;
  const question = new QuestionClass(SEED);
  const behind = question.read(octets, octets.length);
  // The upstream room has compared the question; a reply that does not hold one never comes here.
  if (behind === MALFORMED) return null;
  const options = { dnssecOk, trusted: false, mayFollow: (target: Uint8Array) => target.length % 3 !== 0 };
  const results: (Answer | string)[] = [];
  try {
    results.push(reader.read(octets.slice(), octets.length, question, options));
    for (const poison of POISONS) {
      const longer = new Uint8Array(octets.length + 300);
      longer.set(octets);
      for (let i = octets.length; i < longer.length; i++)
        longer[i] = poison[(i - octets.length) % poison.length];
      results.push(reader.read(longer, octets.length, question, options));
    }
  } catch (error) {
    return `threw ${String(error)}`;
  }
  const [first] = results;
  const texts = new Set(
    results.map((result) =>
      typeof result === 'string'
        ? result
        : JSON.stringify({ ...result, body: Buffer.from(result.body).toString('hex') }),
    ),
  );
  if (texts.size !== 1) return 'octets behind the end were read';
  return typeof first === 'string' ? null : bodyFault(first, question);
}

function bodyFault(answer: Answer, question: Question): string | null {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answer.answerCount, 6);
  header.writeUInt16BE(answer.authorityCount, 8);
  const message = Buffer.concat([
    header,
    question.name.subarray(0, question.length),
    Buffer.from([0, 1, 0, 1]),
    answer.body,
  ]);
  if (message.length > 0xffff) return 'an answer longer than a message';
  try {
    const { answer: records, authority } = read(message);
    const ttls = [...records, ...authority].map(({ ttl }) => ttl);
    const known = [...answer.ttlAt].map((at) => Buffer.from(answer.body).readUInt32BE(at));
    if (JSON.stringify(ttls) !== JSON.stringify(known)) return 'a TTL is not where it is said to be';
    if (ttls.some((ttl) => ttl > 0x7fffffff)) return 'a TTL with its top bit set';
    return null;
  } catch (error) {
    return `a body that cannot be read: ${String(error)}`;
  }
}
