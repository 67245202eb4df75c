/**
 * What a data thread does when the process comes near the memory that it may have: it gives up cache, which can be asked
 * for again, before an allocation fails, which ends the process.
 *
 *    room < ROOM_MIN    the cache's bound is halved, second by second, and what is above it is given up in small steps
 *    room > ROOM_MUCH   the bound grows back, slowly
 *
 * Room is what is left of the address space (`prlimit --as`) or of the control group's memory, whichever is less.
 */
import { readFileSync } from 'node:fs';
import type { ResponseCache } from './cache/index.ts';

const MIB = 2 ** 20;
/** A collection of the heap needs room to move what lives, in several threads at once. */
const ROOM_MIN = 96 * MIB;
const ROOM_MUCH = 2 * ROOM_MIN;
/** The cache is not made smaller than this. */
const BOUND_MIN = MIB;
/** Given up at a time: some thousand cells, about a millisecond. */
const STEP = 4 * MIB;
/** Share of the bound by which it grows back in a second. */
const GROWTH = 1 / 64;
const PAGE = 4096;
/** What a data thread takes before it has cached anything: heap, code, slots, and the buffers of its sockets. */
const THREAD = 48 * MIB;

export interface MemoryGuardOptions {
  readonly cache: ResponseCache;
  /** Octets that are left to the process; null where nothing bounds it. */
  readonly room: () => number | null;
  readonly onShed: (room: number) => void;
}

export class MemoryGuard {
  /** Times the bound was lowered. */
  sheds = 0;
  readonly #options: MemoryGuardOptions;
  readonly #full: number;
  #isShort = false;

  constructor(options: MemoryGuardOptions) {
    this.#options = options;
    this.#full = options.cache.memoryMax;
  }

  /** Called once a second. */
  look(): void {
    const { cache, room: roomOf, onShed } = this.#options;
    const room = roomOf();
    if (room !== null && room < ROOM_MIN) {
      cache.memoryMax = Math.min(
        this.#full,
        Math.max(BOUND_MIN, Math.min(cache.memoryMax, cache.memory) / 2),
      );
      this.sheds++;
      if (!this.#isShort) onShed(room);
      this.#isShort = true;
    } else if (room === null || room > ROOM_MUCH) {
      cache.memoryMax = Math.min(this.#full, cache.memoryMax + this.#full * GROWTH);
      this.#isShort = false;
    }
  }

  /** Called often: gives up a little of what lies above the bound. */
  step(): void {
    this.#options.cache.trim(STEP);
  }
}

/** How many data threads fit, with their cache and the room that the guard keeps; one always. `room` as of `memoryRoom`. */
export function threadsWithin(room: number | null, cacheMemory: number): number {
  if (room === null) return Number.POSITIVE_INFINITY;
  return Math.max(1, Math.floor((room - ROOM_MUCH - cacheMemory) / THREAD));
}

/** What is left to this process by `prlimit --as` and by its control group; null where neither bounds it, or off Linux. */
export function memoryRoom(): number | null {
  const address = addressSpaceLeft();
  const group = groupMemoryLeft();
  if (address === null) return group;
  return group === null ? address : Math.min(address, group);
}

function addressSpaceLeft(): number | null {
  const limit = /^Max address space\s+(\d+)/m.exec(read('/proc/self/limits'))?.[1];
  return limit === undefined ? null : Number(limit) - Number(read('/proc/self/statm').split(' ')[0]) * PAGE;
}

/** Control groups, version 2 and 1; the page cache of the audit counts there too, so it is our own memory that is looked at. */
function groupMemoryLeft(): number | null {
  const groups = read('/proc/self/cgroup');
  const second = /^0::(\/.*)$/m.exec(groups)?.[1];
  const first = /^\d+:(?:\w+,)*memory(?:,\w+)*:(\/.*)$/m.exec(groups)?.[1];
  const most = Math.min(
    second === undefined ? Infinity : boundOf('/sys/fs/cgroup', second, 'memory.max'),
    first === undefined ? Infinity : boundOf('/sys/fs/cgroup/memory', first, 'memory.limit_in_bytes'),
  );
  return most < UNBOUNDED ? most - process.memoryUsage.rss() : null;
}

/** Version 1 says "no limit" with the largest number of pages that it can count. */
const UNBOUNDED = 2 ** 60;

/** The bound in that file; a container may see its own group as the root of the tree, and the name it has outside of it. */
function boundOf(tree: string, path: string, file: string): number {
  const own = read(`${tree}${path === '/' ? '' : path}/${file}`).trim();
  const text = own === '' ? read(`${tree}/${file}`).trim() : own;
  return /^\d+$/.test(text) ? Number(text) : Infinity;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
