/**
 * The calls to the file system on which the promises of the audit rest, gathered so that a test can make each of them
 * fail or stall.
 */
import * as fs from 'node:fs';

export interface Disk {
  /** Creates a file that must not exist, for appending. Returns its descriptor. */
  create(path: string): number;
  /** Returns the octets that were written, which may be fewer than asked for. */
  write(fd: number, octets: Uint8Array, at: number, length: number): number;
  /** Cuts a file back to `length` octets. */
  cut(fd: number, length: number): void;
  close(fd: number): void;
  remove(path: string): void;
  /** Octets that this process may still write to the disk that holds `path`. */
  free(path: string): number;
  /** fdatasync in a thread of the pool. */
  sync(fd: number, done: (error: Error | null) => void): void;
  /** Makes the names in a directory durable. */
  syncDirectory(path: string, done: (error: Error | null) => void): void;
  /** Whether `path` still names the file behind `fd`. */
  isInPlace(fd: number, path: string, done: (inPlace: boolean) => void): void;
}

export const systemDisk: Disk = {
  create: (path) => fs.openSync(path, 'ax', 0o640),
  write: (fd, octets, at, length) => fs.writeSync(fd, octets, at, length),
  cut: (fd, length) => fs.ftruncateSync(fd, length),
  close: (fd) => fs.closeSync(fd),
  remove: (path) => fs.unlinkSync(path),
  free(path) {
    const { bavail, bsize } = fs.statfsSync(path);
    return bavail * bsize;
  },
  sync: (fd, done) => fs.fdatasync(fd, done),
  syncDirectory(path, done) {
    fs.open(path, 'r', (openError, fd) => {
      if (openError !== null) return done(openError);
      fs.fsync(fd, (syncError) => fs.close(fd, (closeError) => done(syncError ?? closeError)));
    });
  },
  isInPlace(fd, path, done) {
    fs.fstat(fd, (fdError, open) => {
      if (fdError !== null) return done(false);
      fs.stat(path, (pathError, named) => {
        done(pathError === null && open.nlink > 0 && open.ino === named.ino && open.dev === named.dev);
      });
    });
  },
};
