/** The smallest policies that the benches of the policy room need. */
import type { ListSource, PolicySource, RuleDescription, RuleSource } from '../src/policy/index.ts';

export const benchDescription = (id: string, action: 'allow' | 'deny'): RuleDescription => ({
  id,
  set: 'bench',
  action,
  reason: 'measured',
  patterns: [],
  types: null,
  expiresAtMs: null,
  owner: null,
  ticket: null,
  processor: null,
  cname: 'trust',
  profile: 'default',
  answer: null,
  file: 'bench.yaml',
  line: 1,
});

/** One group for every client, with one set. */
export const benchSource = (
  lists: readonly ListSource[],
  rules: readonly RuleSource[] = [],
): PolicySource => ({
  sets: [{ name: 'bench', rules, lists }],
  groups: [
    {
      name: 'everybody',
      clients: [
        { address: new Uint8Array(4), prefixLength: 0 },
        { address: new Uint8Array(16), prefixLength: 0 },
      ],
      sets: ['bench'],
      mode: 'enforce',
      answer: { kind: 'nxdomain' },
      forwarder: false,
      contact: null,
      tunnels: null,
    },
  ],
  local: [],
  via: [],
});
