/** Why nothing was started, in words: what the system said, which setting it is about, and what to do. */
import { accessSync, constants, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Settings } from '../config/index.ts';

/** What stands behind the codes of files, and what helps. */
const FILE_TROUBLE: Readonly<Record<string, readonly [what: string, instead: string]>> = {
  ENOENT: ['there is no such file or directory', 'make it, or name another'],
  EACCES: [`user ${process.getuid?.() ?? ''} has no right to it`, 'give it to that user, or name another'],
  EPERM: [`user ${process.getuid?.() ?? ''} has no right to it`, 'give it to that user, or name another'],
  EROFS: ['the file system is read-only', 'mount a writable one there, or name another'],
  ENOTDIR: ['a file stands where a directory must be', 'name another'],
  EEXIST: ['a file stands where a directory must be', 'name another'],
  EISDIR: ['a directory stands where a file must be', 'name the file'],
  ENOSPC: ['the disk is full', 'make room, or name another'],
};

/** One sentence for the terminal, without a stack. */
export function startTrouble(error: unknown, settings: Settings): string {
  const { code = '', message, path, syscall } = error as NodeJS.ErrnoException;
  const trouble = FILE_TROUBLE[path === undefined ? code : codeBehind(code, path, syscall)];
  if (trouble !== undefined && path !== undefined) return fileTrouble(path, trouble, settings);
  if (/EADDRINUSE/.test(message)) return inUse(error as NodeJS.ErrnoException, settings);
  // What the socket engine says has its remedy with it; Node's own words have none.
  if (code === 'EACCES' && syscall === 'listen')
    return `could not start: ${message}; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE`;
  if (code === 'EADDRNOTAVAIL' && syscall === 'listen')
    return `could not start: ${message}; this machine has no such address; choose one of its own`;
  return `could not start: ${message}`;
}

/** Making a directory with all above it fails with ENOENT where the nearest that exists may not be written to. */
function codeBehind(code: string, path: string, syscall: string | undefined): string {
  if (code !== 'ENOENT' || syscall !== 'mkdir') return code;
  let above = dirname(path);
  while (!existsSync(above) && above !== dirname(above)) above = dirname(above);
  try {
    accessSync(above, constants.W_OK);
    return code;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? code;
  }
}

function fileTrouble(path: string, [what, instead]: readonly [string, string], settings: Settings): string {
  const setting = settingOf(path, settings, []);
  const place = setting === null ? path : `${setting}: ${path}`;
  return `could not start: ${place}: ${what}; ${instead}`;
}

/** The setting that names this path or a directory above it. */
function settingOf(path: string, value: unknown, at: readonly string[]): string | null {
  if (typeof value === 'string')
    return value.startsWith('/') && (path === value || path.startsWith(`${value}/`)) ? at.join('.') : null;
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, below] of Object.entries(value)) {
    const found = settingOf(path, below, [...at, key]);
    if (found !== null) return found;
  }
  return null;
}

function inUse(
  error: NodeJS.ErrnoException & { address?: string; port?: number },
  settings: Settings,
): string {
  const { http, listen } = settings;
  const port = error.port ?? Number(/port (\d+)/.exec(error.message)?.[1]);
  const isHttp = port === http.listen.port && !listen.addresses.some((one) => one.port === port);
  const choice = isHttp ? '--http or http.listen' : '--listen or listen.addresses';
  const place = error.address === undefined ? `port ${port}` : `${error.address} port ${port}`;
  const usual =
    port === 53
      ? '; port 53 is often held by systemd-resolved: DNSStubListener=no in /etc/systemd/resolved.conf ends that'
      : '';
  return `could not start: ${place} is in use by another process; end that one ("ss -lnptu" names it), or choose another with ${choice}${usual}`;
}
