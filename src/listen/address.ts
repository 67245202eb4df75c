/** Addresses in text, as Node gives them, turned into octets. */

export interface BinaryAddress {
  /** Octets 0–3 or 0–15 of 16. */
  readonly octets: Uint8Array;
  readonly length: 4 | 16;
}

/**
 * Octets of an IPv4 or IPv6 address in text (RFC 4291 section 2.2), a zone index left out, an IPv4-mapped one as
 * IPv4; null when the text is no address. Dotted text must be four plain decimals: `010.0.0.1` is no address.
 */
export function readAddress(text: string): BinaryAddress | null {
  const octets = new Uint8Array(16);
  if (!text.includes(':')) return readDotted(text, octets, 0) ? { octets, length: 4 } : null;
  const zoneAt = text.indexOf('%');
  if (!readGroups(zoneAt < 0 ? text : text.slice(0, zoneAt), octets)) return null;
  for (let i = 0; i < 10; i++) if (octets[i] !== 0) return { octets, length: 16 };
  if (octets[10] !== 0xff || octets[11] !== 0xff) return { octets, length: 16 };
  octets.copyWithin(0, 12, 16);
  octets.fill(0, 4);
  return { octets, length: 4 };
}

function readDotted(text: string, into: Uint8Array, at: number): boolean {
  const parts = text.split('.');
  if (parts.length !== 4) return false;
  return parts.every((part, i) => {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return false;
    into[at + i] = Number(part);
    return true;
  });
}

function readGroups(text: string, into: Uint8Array): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const head = groupsOf(halves[0]);
  const tail = halves.length === 2 ? groupsOf(halves[1]) : [];
  if (head === null || tail === null) return false;
  const given = head.length + tail.length;
  if (halves.length === 2 ? given > 14 : given !== 16) return false;
  into.set(head, 0);
  into.set(tail, 16 - tail.length);
  return true;
}

/** Octets of colon-separated groups, the last of which may be dotted decimals; null when one is neither. */
function groupsOf(text: string): number[] | null {
  if (text === '') return [];
  const octets: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (i === groups.length - 1 && group.includes('.')) {
      const dotted = new Uint8Array(4);
      if (!readDotted(group, dotted, 0)) return null;
      octets.push(...dotted);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
      const value = Number.parseInt(group, 16);
      octets.push(value >> 8, value & 0xff);
    }
  }
  return octets;
}
