/** What `verify` says of a log, and what it is given besides the log. */
import type { Unsealer } from './unseal.ts';

export interface Fault {
  readonly worker: number;
  readonly file: string;
  /** Octet in the (uncompressed) file where what is wrong begins, and its line from 1. */
  readonly offset: number;
  readonly line: number;
  readonly what: string;
}

export interface WorkerReport {
  readonly worker: number;
  readonly segments: number;
  /** When the first segment here was begun, as it says; empty when there is none. */
  readonly since: string;
  readonly records: number;
  readonly firstRecord: number;
  readonly lastRecord: number;
  /** Last record that a signed checkpoint covers. */
  readonly lastSigned: number;
  /** Records in encrypted lines, and records that were erased on request as the log itself says. */
  readonly sealed: number;
  readonly erased: number;
  readonly checkpoints: number;
  /** Size of the tree, in leaves, and root at the newest checkpoint. */
  readonly lastCheckpoint: { readonly size: number; readonly root: string; readonly time: string } | null;
  readonly leaves: number;
  readonly root: string;
  /** First and last public key seen. */
  readonly firstKey: string;
  readonly lastKey: string;
}

export interface AuditReport {
  readonly ok: boolean;
  readonly workers: readonly WorkerReport[];
  readonly faults: readonly Fault[];
  /** What is no fault and should be known: no key was given, records not yet covered, torn ends that were repaired. */
  readonly remarks: readonly string[];
}

export interface VerifyOptions {
  /** First public key per worker, hex, as in `keys.pub`; workers not listed are taken at their own word, with a remark. */
  readonly keys?: ReadonlyMap<number, string>;
  /** Checkpoints kept elsewhere, in any order: lines, lines of syslog that hold one, or whole JSON lists of them. */
  readonly checkpoints?: readonly string[];
  /** Private keys of a reader: with them what is in encrypted lines is checked as well. */
  readonly unsealer?: Unsealer;
  /** Called after each segment, for progress bars. */
  readonly onSegment?: (file: string, octets: number) => void;
  /** Receives each leaf's hash (hex) with its place: what proofs are made of. */
  readonly onLeaf?: (worker: number, leaf: LeafPlace) => void;
}

export interface LeafPlace {
  readonly index: number;
  /** As it is in the tree. */
  readonly hash: string;
  /** As its octets are now; another when records in it were erased. */
  readonly actual: string;
  readonly file: string;
  readonly at: number;
  readonly end: number;
  /** Numbers of the first record in it and of the first behind it. */
  readonly from: number;
  readonly to: number;
}

export type Place = Pick<Fault, 'worker' | 'file' | 'offset' | 'line'>;

/** Somebody says that worker's tree had this root at this size. */
export interface Claim {
  readonly worker: number;
  readonly size: number;
  readonly root: string;
  readonly place: Place;
}
