/** Alarms that are kept to be shown again with each query they deny; the oldest give way. */
import type { Alarm, Scope } from './contract.ts';
import { blockKey, type Keys } from './keys.ts';

const ALARMS_MAX = 4096;

export class Alarms {
  readonly #alarms = new Map<string, Alarm>();

  find(scope: Scope, keys: Keys): Alarm | undefined {
    return this.#alarms.get(blockKey(scope, keys));
  }

  keep(keys: Keys, alarm: Alarm): Alarm {
    if (this.#alarms.size >= ALARMS_MAX) this.#alarms.delete(this.#alarms.keys().next().value as string);
    this.#alarms.set(blockKey(alarm.scope, keys), alarm);
    return alarm;
  }

  forget(scope: Scope, keys: Keys): void {
    this.#alarms.delete(blockKey(scope, keys));
  }
}
