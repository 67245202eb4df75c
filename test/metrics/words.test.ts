import { expect, test } from 'vitest';
import { decisionAt } from '../../src/metrics/index.ts';
import { OUTCOMES } from '../../src/query/outcome.ts';

const DENY_CAUSES = ['not-listed', 'denied', 'type', 'expired', 'characters', 'ancestor', 'tunnel', 'answer'];

test.each([
  ...Object.values(OUTCOMES).map(({ verdict, cause }) => ({ action: verdict, cause })),
  ...DENY_CAUSES.flatMap((cause) => ['deny', 'drop', 'observe'].map((action) => ({ action, cause }))),
])('$action for $cause has a series of its own', ({ action, cause }) => {
  expect(decisionAt(action, cause)).not.toBe(decisionAt(action, 'other'));
  expect(decisionAt(action, cause)).not.toBe(decisionAt('other', cause));
});
