/**
 * The Merkle tree of RFC 9162 section 2.1 over the leaves of one worker's log.
 *
 *    leaf  SHA-256(00 ‖ octets)        node  SHA-256(01 ‖ left ‖ right)
 *
 * Only the roots of complete subtrees are kept (the *frontier*, largest first): at most 53, whatever the length of the log.
 *
 * Hashes are texts of 64 hex digits, as they stand in the log: `hash` makes a text in half the time of a Buffer, whose memory
 * is a thing of its own to be had and given back.
 */
import { hash } from 'node:crypto';

const HASH_LENGTH = 32;

const pair = Buffer.alloc(1 + 2 * HASH_LENGTH);
pair[0] = 1;

function nodeHash(left: string, right: string): string {
  pair.write(left, 1, HASH_LENGTH, 'hex');
  pair.write(right, 1 + HASH_LENGTH, HASH_LENGTH, 'hex');
  return hash('sha256', pair, 'hex');
}

/**
 * Hash of the leaf `octets[at … end)`. `at` must be at least 1: the octet before it is borrowed for the prefix, which
 * saves a copy of the whole leaf.
 */
export function leafHash(octets: Uint8Array, at: number, end: number): string {
  const borrowed = octets[at - 1];
  octets[at - 1] = 0;
  const digest = hash('sha256', octets.subarray(at - 1, end), 'hex');
  octets[at - 1] = borrowed;
  return digest;
}

const EMPTY_ROOT = hash('sha256', new Uint8Array(0), 'hex');
/** A hash as it stands in the log. */
export const HASH = /^[0-9a-f]{64}$/;

export class Tree {
  #size = 0;
  #frontier: string[] = [];

  /** Takes up a tree of `size` leaves again. Throws RangeError when the frontier does not fit the size, or is none. */
  static resume(size: number, frontier: readonly string[]): Tree {
    let ones = 0;
    for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
    if (!Number.isSafeInteger(size) || size < 0 || ones !== frontier.length) {
      throw new RangeError(`a tree of ${size} leaves has ${ones} complete subtrees, not ${frontier.length}`);
    }
    if (!frontier.every((root) => HASH.test(root))) throw new RangeError('a hash is not 64 hex digits');
    const tree = new Tree();
    tree.#size = size;
    tree.#frontier = [...frontier];
    return tree;
  }

  /** Leaves so far. */
  get size(): number {
    return this.#size;
  }

  get frontier(): readonly string[] {
    return this.#frontier;
  }

  add(leaf: string): void {
    let merged = leaf;
    // One bit of the size carried is one pair of equal subtrees joined.
    for (let rest = this.#size; rest % 2 === 1; rest = Math.floor(rest / 2)) {
      merged = nodeHash(this.#frontier.pop()!, merged);
    }
    this.#frontier.push(merged);
    this.#size++;
  }

  root(): string {
    if (this.#size === 0) return EMPTY_ROOT;
    let root = this.#frontier[this.#frontier.length - 1];
    for (let i = this.#frontier.length - 2; i >= 0; i--) root = nodeHash(this.#frontier[i], root);
    return root;
  }
}
