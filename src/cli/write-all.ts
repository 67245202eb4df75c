/** Writing to a descriptor to the end. */
import { writeSync } from 'node:fs';

/** Standard output may be a pipe that is full for the moment (EAGAIN); what it did not take is written again. */
export function writeAll(fd: number, text: string): void {
  const octets = Buffer.from(text);
  for (let at = 0; at < octets.length; ) {
    try {
      at += writeSync(fd, octets, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EPIPE') return;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
