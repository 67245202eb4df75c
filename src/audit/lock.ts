/**
 * One process writes a worker's log at a time: two would both continue the same chain. The lock names its holder by
 * process id and start time, so that a process that was killed leaves no lock behind that somebody has to remove.
 */
import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The log is written by another process. */
export class AuditInUse extends Error {}

/** When a process was started, in ticks since the machine was; null where the kernel does not tell (no /proc). */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program is in parentheses and may hold spaces; the start is the 20th field behind it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export class Lock {
  readonly #path: string;
  readonly #text: string;

  /** Throws AuditInUse. A holder in this same process is taken for a worker thread that is gone. */
  constructor(directory: string, worker: number, bootId: string) {
    this.#path = join(directory, `w${worker}.lock`);
    this.#text = `${process.pid} ${startOf(process.pid) ?? '-'} ${bootId}\n`;
    let held: string[];
    try {
      held = readFileSync(this.#path, 'latin1').trim().split(' ');
    } catch {
      held = [];
    }
    const [pid, start, boot] = held;
    const holder = Number(pid);
    const isHeld =
      Number.isSafeInteger(holder) &&
      holder > 0 &&
      holder !== process.pid &&
      boot === bootId &&
      isRunning(holder) &&
      (start === '-' || startOf(holder) === start);
    if (isHeld) {
      throw new AuditInUse(
        `the audit log of worker ${worker} in ${directory} is being written by process ${pid}; stop it, or give this one another audit.directory`,
      );
    }
    try {
      writeFileSync(this.#path, this.#text, { mode: 0o640 });
    } catch {
      // On a full disk there is no lock; the log that cannot be written needs none, and the chain shows two writers.
    }
  }

  /** Writes it again when it went with its directory; whoever has taken it meanwhile keeps it, and the chain shows two writers. */
  keep(): void {
    try {
      writeFileSync(this.#path, this.#text, { mode: 0o640, flag: 'wx' });
    } catch {
      // It is there, or there is no room for it.
    }
  }

  release(): void {
    try {
      if (readFileSync(this.#path, 'latin1') === this.#text) unlinkSync(this.#path);
    } catch {
      // It went with its directory.
    }
  }
}
