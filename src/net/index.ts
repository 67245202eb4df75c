/** The door of `net`: datagrams in batches, by the engine that this machine can run. */
import type { Engine, EngineName } from './datagram.ts';
import { openNative } from './native.ts';
import { openPortable } from './portable.ts';

export { addressOctets, addressText } from './address.ts';
export * from './datagram.ts';
export { PrefixSet } from './prefixes.ts';

/** An engine, and for the log why it is the portable one; null when it is native. */
export interface OpenedEngine {
  readonly engine: Engine;
  readonly reason: string | null;
}

/**
 * Opens an engine for this thread. `auto` takes the native one where it runs.
 *
 * @throws when `native` is demanded and cannot run here.
 */
export async function openEngine(wanted: 'auto' | EngineName): Promise<OpenedEngine> {
  if (wanted === 'portable') return { engine: openPortable(), reason: 'asked for' };
  const native = await openNative();
  if (!('reason' in native)) return { engine: native, reason: null };
  if (wanted === 'native') {
    throw new Error(`the native socket engine cannot run here (${native.reason}); choose auto or portable`);
  }
  return { engine: openPortable(), reason: native.reason };
}
