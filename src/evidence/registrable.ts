/**
 * The part of a name that somebody registered: `a.b.example.co.uk` → `example.co.uk`. Shared suffixes of hosting companies
 * count as public, so two customers of one company are two destinations.
 */
import { getDomain } from 'tldts';

const OPTIONS = {
  allowPrivateDomains: true,
  validateHostname: false,
  extractHostname: false,
  detectIp: false,
};

/** Of a name in presentation form; the name itself when nobody can register it (a suffix, a single label, the root). */
export function registrable(qname: string): string {
  // An escaped dot is part of a label. Escapes become as many letters, so that the cut falls at the same place.
  const plain = qname.includes('\\')
    ? qname.replace(/\\(?:\d{3}|.)/g, (escaped) => 'x'.repeat(escaped.length))
    : qname;
  const domain = getDomain(plain, OPTIONS);
  return domain === null || domain === '' ? qname : qname.slice(-domain.length);
}
