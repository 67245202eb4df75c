/** The audit: one entry for every query, handed over before its answer leaves; segments, chain, proof. */
import type { AuditLog } from './contract.ts';
import { WorkerLog } from './log.ts';
import { OpenLog } from './open-log.ts';
import { type AuditOptions, settingsOf } from './options.ts';

export { type ClientPrivacy, ClientTexts } from './client.ts';
export type * from './contract.ts';
export type { Disk } from './disk.ts';
export type { LineText } from './line-text.ts';
export { AuditInUse } from './lock.ts';
export type { AuditMode, AuditOptions } from './options.ts';
export { renderRedaction } from './outcome.ts';
export { PseudonymKeys, type PseudonymOptions, pseudonymsOf } from './pseudonyms.ts';
export { AuditDamaged } from './recover.ts';

/**
 * Opens the log of one worker: repairs what a crash has left and begins a new segment. Throws AuditDamaged when the
 * log found there cannot be continued, AuditInUse when another process writes it, and what the file system says when the directory cannot be made or read. A disk
 * that is full is no error: the log opens stopped, refuses, and begins by itself when there is room.
 */
export function openAudit(options: AuditOptions): AuditLog {
  const settings = settingsOf(options);
  const isOwnThread = settings.mode === 'open' && options.disk === undefined;
  return isOwnThread ? new OpenLog(settings) : new WorkerLog(settings);
}
export { type Compression, compressSegments, hasZstd, openDecompressed } from './compress.ts';
export {
  confirmedSize,
  dismissReader,
  heldSegments,
  logId,
  type Place,
  readCursor,
  readerNames,
  writeCursor,
} from './cursor.ts';
export {
  areRecorded,
  carryOut,
  type ErasurePlan,
  type ErasureRequest,
  planErasure,
  requestsOf,
} from './erase.ts';
export { isErasureRequested, removeErasureRequest, writeErasureRequest } from './erasure-request.ts';
export { EXPORT_FORMATS, type ExportFormat } from './export.ts';
export { jsonText, plainText } from './json-text.ts';
export { hasIndex, writeIndex } from './name-index.ts';
export {
  type ConsistencyProof,
  type InclusionProof,
  isProven,
  leavesOf,
  ProofError,
  proveConsistency,
  proveInclusion,
  provenRecord,
} from './proof.ts';
export {
  type AuditRecord,
  beganMs,
  type Filter,
  type Found,
  isGone,
  parseLine,
  predicateOf,
  readRecords,
  readSegment,
  segmentNames,
} from './read.ts';
export type { Retention } from './retention.ts';
export { type Recipient, readRecipient } from './seal.ts';
export { readSegmentName, type SegmentName } from './segment.ts';
export { destroyShipped, shipKeysOf } from './ship-keys.ts';
export { AuditStats, type Tally } from './stats.ts';
export { openSealed, readSealed, Sealed, Unsealer, unsealSegment } from './unseal.ts';
export { verifyAudit } from './verify.ts';
export type { AuditReport, Fault, LeafPlace, VerifyOptions, WorkerReport } from './verify-report.ts';
