/** Checkpoints appended to a file, one line each, confirmed by the disk before they count as arrived. */
import { open, rename, stat } from 'node:fs/promises';
import type { Checkpoint, Place } from './contract.ts';

export class FilePlace implements Place {
  readonly kind = 'file';
  readonly where: string;
  readonly #lengthMax: number;

  /** Beyond `lengthMax` octets the file becomes `….1`, in the place of the one before. */
  constructor(path: string, lengthMax: number) {
    this.where = path;
    this.#lengthMax = lengthMax;
  }

  async put(checkpoints: readonly Checkpoint[]): Promise<void> {
    await this.#turn();
    const file = await open(this.where, 'a', 0o640);
    try {
      await file.appendFile(checkpoints.map(({ line }) => `${line}\n`).join(''));
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  async #turn(): Promise<void> {
    try {
      if ((await stat(this.where)).size >= this.#lengthMax) await rename(this.where, `${this.where}.1`);
    } catch {
      // There is no file yet; or it may only be appended to (chattr +a), and then it goes on growing.
    }
  }
}
