/** The long run: see `run.mjs`. */
import { expect, test } from 'vitest';
import { loadCorpus, saveFound } from './corpus.ts';
import { examineReply, PathExaminer, QUERY_LENGTH_MAX } from './examine.ts';
import { Chance, mutate } from './mutate.ts';

const seconds = Number(process.env['FUZZ_SECONDS'] ?? '10');
const seed = Number(process.env['FUZZ_SEED'] ?? '1');
const REPORT_MS = 10_000;

test('queries and replies', async () => {
  const chance = new Chance(seed);
  const queries = loadCorpus('query').map(({ octets }) => octets);
  const replies = loadCorpus('reply').map(({ octets }) => octets);
  let path = new PathExaminer();
  const found: string[] = [];
  let runs = 0;
  const started = Date.now();
  let reported = started;
  while (Date.now() - started < seconds * 1000 && found.length < 20) {
    for (let i = 0; i < 100; i++) {
      const reply = mutate(chance.pick(replies), replies, chance, 0xffff);
      const replyFault = examineReply(reply, chance.below(2) === 0);
      if (replyFault !== null) found.push(`${saveFound('reply', reply, replyFault)}: ${replyFault}`);
      const query =
        chance.below(20) === 0
          ? chance.pick(queries)
          : mutate(chance.pick(queries), queries, chance, QUERY_LENGTH_MAX);
      const answers = Array.from({ length: 3 }, () => mutate(chance.pick(replies), replies, chance, 0xffff));
      const queryFault = await path.examine(query, (asked) => withQuestionOf(query, answers[asked % 3]));
      if (queryFault !== null) {
        found.push(`${saveFound('query', query, queryFault)}: ${queryFault}`);
        path = new PathExaminer();
      }
      runs += 2;
    }
    if (Date.now() - reported > REPORT_MS) {
      reported = Date.now();
      console.log(
        `seed ${seed}: ${runs} messages in ${Math.round((reported - started) / 1000)} s, ${found.length} faults`,
      );
    }
  }
  console.log(`seed ${seed}: ${runs} messages, ${found.length} faults`);
  expect(found).toEqual([]);
});

/** A reply that passes for one to this query: the upstream room lets nothing else through. */
function withQuestionOf(query: Uint8Array, reply: Uint8Array): Uint8Array {
  const question = endOfQuestion(query);
  const own = endOfQuestion(reply);
  if (question === 0 || own === 0) return reply;
  const header = Buffer.from(reply.subarray(0, 12));
  header.writeUInt16BE(1, 4);
  return Uint8Array.from(
    Buffer.concat([header, query.subarray(12, question), reply.subarray(own)]).subarray(0, 0xffff),
  );
}

function endOfQuestion(octets: Uint8Array): number {
  let at = 12;
  while (at < octets.length && octets[at] !== 0) {
    if (octets[at] > 63) return 0;
    at += octets[at] + 1;
  }
  return at + 5 <= octets.length ? at + 5 : 0;
}
