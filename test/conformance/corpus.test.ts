/** Everything that the fuzzer was given or has found, once more: each message by itself, and each reply to each query. */
import { describe, expect, test } from 'vitest';
import { loadCorpus } from '../../fuzz/corpus.ts';
import { examineReply, PathExaminer } from '../../fuzz/examine.ts';

const queries = loadCorpus('query');
const replies = loadCorpus('reply');

test('there is a corpus', () => {
  expect(queries.length).toBeGreaterThan(20);
  expect(replies.length).toBeGreaterThan(60);
});

describe('the saved replies', () => {
  test.each(replies)('$file', ({ octets }) => {
    expect([examineReply(octets, false), examineReply(octets, true)]).toEqual([null, null]);
  });
});

describe('the saved queries', () => {
  test.each(queries)('$file, answered by every saved reply', async ({ octets }) => {
    const path = new PathExaminer();
    for (const reply of replies) {
      expect({ reply: reply.file, fault: await path.examine(octets, () => reply.octets) }).toEqual({
        reply: reply.file,
        fault: null,
      });
    }
  });
});
