/** A policy as a judge of logged queries: what `sallyport hunt --policy` asks before it looks at a name. */
import { loadSettings } from '../config/index.ts';
import { loadPolicy } from '../policy-loading.ts';
import { Question } from '../wire/index.ts';
import type { Judge } from './hunt-session.ts';

const SEED = 0;

/** Throws what is wrong with the policy, in words. */
export async function policyJudge(path: string): Promise<Judge> {
  const loaded = loadSettings({ env: {}, overrides: { policies: [path] } });
  if (!('settings' in loaded)) throw new Error(loaded.faults.map(({ what }) => what).join('; '));
  const compiled = loadPolicy(loaded.settings, {
    hashSeed: SEED,
    generation: 1,
    nowMs: Date.now(),
    anyPool: true,
  });
  if (!('compiled' in compiled)) {
    const faults = compiled.faults.map(
      ({ file, line, what, instead }) => `${file}:${line}: ${what}; ${instead}`,
    );
    throw new Error(`the policy has faults:\n${faults.join('\n')}`);
  }
  const { policy } = compiled;
  const own = new Question(SEED);
  return (question, client, clientLength, nowMs) => {
    const group = policy.groupOf(client, clientLength);
    if (group < 0) return 'deny';
    const verdict = policy.judge(group, own.set(question.name, question.type), nowMs);
    return verdict.action === 'deny' && !verdict.observed ? 'deny' : 'allow';
  };
}
