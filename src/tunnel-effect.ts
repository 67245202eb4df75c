/** What a group's response makes of a verdict, in the memory that all threads share. */
import type { FastPath, Verdict } from './detect/index.ts';
import type { TunnelAction } from './policy/index.ts';
import type { TunnelResponse } from './query/index.ts';

/**
 * Applies what goes beyond the client and zone that the verdict is on: `block-all` takes the whole zone, `quarantine` the
 * client. A verdict on a zone for all clients accuses no single one, so nobody is put in quarantine for it. What `alert` and
 * `throttle` do is decided with each query, by the group that asks.
 */
export function effectOf(
  fast: FastPath,
  verdict: Verdict,
  zone: string,
  { action }: TunnelResponse,
): { readonly verdict: Verdict; readonly action: TunnelAction } {
  if (action === 'block-all' && verdict.scope === 'client+domain') {
    const whole: Verdict = { ...verdict, scope: 'domain' };
    fast.apply(whole, zone);
    return { verdict: whole, action };
  }
  if (action === 'quarantine') {
    if (verdict.scope === 'domain') return { verdict, action: 'block' };
    fast.quarantine(verdict, verdict.untilMs);
    return { verdict: { ...verdict, scope: 'client' }, action };
  }
  return { verdict, action };
}
