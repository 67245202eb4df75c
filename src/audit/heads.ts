/**
 * The newest checkpoint of each worker, in a file of its own: for whoever ships checkpoints elsewhere, and for the other
 * workers, which mention it in theirs. So the logs of all workers hold one another: none can lose its end, or
 * disappear, without contradicting its neighbours.
 *
 *    w0.head   one checkpoint line, replaced with each checkpoint
 */
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a checkpoint says of another worker's log. */
export interface Mention {
  readonly worker: number;
  readonly size: number;
  readonly root: string;
}

const NAME = /^w(\d+)\.head$/;

export class Heads {
  readonly #directory: string;
  readonly #worker: number;
  #mentions: readonly Mention[] = [];
  /** The newest line that is not published. */
  #due: string | null = null;
  #busy: Promise<void> | null = null;

  constructor(directory: string, worker: number) {
    this.#directory = directory;
    this.#worker = worker;
  }

  /** What the other workers last said of themselves. */
  get mentions(): readonly Mention[] {
    return this.#mentions;
  }

  /** Publishes a checkpoint line and reads those of the others, beside everything else. */
  publish(line: string): void {
    this.#due = line;
    this.#busy ??= this.#publishDue().finally(() => {
      this.#busy = null;
    });
  }

  async #publishDue(): Promise<void> {
    while (this.#due !== null) {
      const line = this.#due;
      this.#due = null;
      try {
        await this.#exchange(line);
      } catch {
        // The log itself holds every checkpoint; a head that could not be replaced is only older.
      }
    }
  }

  async close(): Promise<void> {
    await this.#busy;
  }

  async #exchange(line: string): Promise<void> {
    const path = join(this.#directory, `w${this.#worker}.head`);
    await writeFile(`${path}.new`, line, { mode: 0o644 });
    await rename(`${path}.new`, path);
    const mentions: Mention[] = [];
    for (const file of await readdir(this.#directory)) {
      const worker = NAME.exec(file)?.[1];
      if (worker === undefined || Number(worker) === this.#worker) continue;
      const head = JSON.parse(await readFile(join(this.#directory, file), 'utf8')) as Mention;
      mentions.push({ worker: Number(worker), size: head.size, root: head.root });
    }
    this.#mentions = mentions.sort((left, right) => left.worker - right.worker);
  }
}
