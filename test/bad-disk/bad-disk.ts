/** A disk that a test makes hang, slow or fail while a real process writes to it: see bad-disk.c. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { isInstalled } from '../e2e/processes.ts';

/** Whether it can be had: it is compiled here, and LD_PRELOAD is Linux's. */
export const hasBadDisk = (): boolean => process.platform === 'linux' && isInstalled('cc');

export type DiskError = 'EIO' | 'ENOSPC' | 'EROFS';

export class BadDisk {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sallyport-bad-disk-'));
  readonly #fd: number;
  /** For the process that is to have this disk. */
  readonly env: Readonly<Record<string, string>>;

  constructor() {
    const library = join(this.#directory, 'bad-disk.so');
    const source = join(import.meta.dirname, 'bad-disk.c');
    const compiled = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'], {
      encoding: 'utf8',
    });
    if (compiled.status !== 0) throw new Error(`bad-disk.c does not compile: ${compiled.stderr}`);
    const control = join(this.#directory, 'control');
    this.#fd = openSync(control, 'w+');
    writeSync(this.#fd, new Uint8Array(16));
    this.env = { LD_PRELOAD: library, BAD_DISK: control };
  }

  /** Writes wait until `hang(false)`. */
  hang(isHanging: boolean): void {
    this.#set(0, isHanging ? 1 : 0);
  }

  slowDown(syncMs: number): void {
    this.#set(1, syncMs);
  }

  failWrites(error: DiskError | null): void {
    this.#set(2, error === null ? 0 : constants.errno[error]);
  }

  failSyncs(error: DiskError | null): void {
    this.#set(3, error === null ? 0 : constants.errno[error]);
  }

  #set(place: number, value: number): void {
    writeSync(this.#fd, new Uint8Array(Int32Array.of(value).buffer), 0, 4, place * 4);
  }

  remove(): void {
    this.hang(false);
    closeSync(this.#fd);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
