/** List files as octets: bounded, decompressed, never parsed here. */
import { readFileSync, type Stats, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Complaint } from './fault.ts';

/** Octets of a list file once decompressed; a million names are about 25 MiB. */
const LIST_LENGTH_MAX = 512 * 1024 * 1024;

/**
 * The octets of a file, or what is wrong with it; `file` is how the person named it. Compression is told by the first
 * two octets, not by the name.
 */
export function readListFile(path: string, file: string): Uint8Array | Complaint {
  const stats = readStats(path, file);
  if ('what' in stats) return stats;
  if (!stats.isFile())
    return { what: `${file} is not a regular file`, instead: 'write the path of a text file' };
  if (stats.size > LIST_LENGTH_MAX) return tooLong(file);
  try {
    const octets = readFileSync(path);
    const isCompressed = octets.length > 2 && octets[0] === 0x1f && octets[1] === 0x8b;
    return isCompressed ? gunzipSync(octets, { maxOutputLength: LIST_LENGTH_MAX }) : octets;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ERR_BUFFER_TOO_LARGE') return tooLong(file);
    if (/^Z_|^ERR_/.test(code))
      return { what: `${file} is damaged: it cannot be decompressed`, instead: 'fetch the file again' };
    return { what: `${file} cannot be read (${code})`, instead: 'give the process leave to read it' };
  }
}

function readStats(path: string, file: string): Stats | Complaint {
  try {
    return statSync(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT')
      return { what: `there is no file ${file}`, instead: 'write a path relative to this policy file' };
    return { what: `${file} cannot be read (${code})`, instead: 'give the process leave to read it' };
  }
}

const tooLong = (file: string): Complaint => ({
  what: `${file} is larger than ${LIST_LENGTH_MAX / 1024 / 1024} MiB`,
  instead: 'split the list over several files',
});
