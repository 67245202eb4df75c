/** The character model: how many bits an ordinary host name spends on its next character (trigrams). */
import { inflateRawSync } from 'node:zlib';
import { NGRAM_TABLE } from './ngram-table.ts';
import { POPULAR_NAMES } from './popular-names.ts';

/**
 * Cost of symbol c after a and b at `(a * SYMBOL_COUNT + b) * SYMBOL_COUNT + c`, in sixteenths of a bit. 64,000 octets,
 * trained by bench/detect/train.ts.
 */
export const TRIGRAM_COSTS: Uint8Array = new Uint8Array(inflateRawSync(Buffer.from(NGRAM_TABLE, 'base64')));

/** Registrable domains of a top list, one a line: what half the world asks cannot be rented by an attacker. */
export function popularDomains(): Uint8Array {
  return inflateRawSync(Buffer.from(POPULAR_NAMES, 'base64'));
}
