/** Receivers as they stand in the settings: a host by name or address, and its port; or a URL. */
import { isIP } from 'node:net';
import { z } from 'zod';

/** A host by name or address, and its port. */
export interface Receiver {
  readonly host: string;
  readonly port: number;
}

/** "logs.example.net:6514" as a Receiver; what is none is a fault that shows `example`. */
export const receiver = (example: string, description: string) =>
  z
    .string({ error: `must be a host with its port; write for example "${example}"` })
    .transform((text, context): Receiver => {
      const found = readReceiver(text.trim());
      if (found !== null) return found;
      context.addIssue(`"${text}" is not a host with a port; write for example "${example}"`);
      return z.NEVER;
    })
    .meta({ description });

const HOST = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*\.?$/i;

/** `logs.example.net:6514`, `192.0.2.7:6514` or `[2001:db8::7]:6514`; null for anything else. */
function readReceiver(text: string): Receiver | null {
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (parts === null) return null;
  const host = parts[1] ?? parts[2];
  const port = Number(parts[3]);
  const isHost = parts[1] === undefined ? isIP(host) === 4 || isName(host) : isIP(host) === 6;
  return isHost && port > 0 && port < 65_536 ? { host, port } : null;
}

const isName = (text: string): boolean => HOST.test(text) && !/^[\d.]+$/.test(text);
