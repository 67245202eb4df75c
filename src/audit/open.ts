/**
 * Mode `open`, in the thread that writes (`open-thread.ts`): everybody has been answered already. What cannot be written is
 * counted, and the next record that is kept says how many were lost and since when.
 */
import type { LogCore } from './core.ts';
import type { Mode } from './mode.ts';

export class OpenMode implements Mode {
  readonly #core: LogCore;
  readonly isBusy = false;

  constructor(core: LogCore) {
    this.#core = core;
  }

  commit(then: (kept: boolean) => void): void {
    then(true);
    if (this.#core.keep()) this.#core.afterWrite();
  }

  writeOwn(): boolean {
    return this.#core.writeNow();
  }

  refuseWaiting(): void {
    this.#core.batch.rewind();
  }

  onPoison(): void {}
}
