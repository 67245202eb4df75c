/**
 * Name patterns as people write them. `example.com` is that name only, `*.example.com` everything below it at any
 * depth, `+.example.com` both; all else with a star is a fault. Names in other scripts become A-labels (UTS 46,
 * non-transitional, as in browsers).
 */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { PatternKind, PatternSource } from '../policy/index.ts';
import { NameError, nameOctets, nameText } from '../wire/index.ts';
import type { Complaint } from './fault.ts';

/** A pattern, or what is wrong with the text. */
export function readPattern(text: string): PatternSource | Complaint {
  const foreign = complainOfShape(text);
  if (foreign !== null) return foreign;
  const kind: PatternKind = text.startsWith('*.') ? 'below' : text.startsWith('+.') ? 'both' : 'exact';
  const rest = kind === 'exact' ? text : text.slice(2);
  if (rest === '' && kind !== 'exact') return { kind, name: Uint8Array.of(0), text };
  if (rest.includes('*') || /^\+/.test(rest)) return complainOfStar(text);
  if (rest.startsWith('.') && rest !== '.') return complainOfDot(text, rest);
  const name = readName(rest);
  return 'what' in name ? name : { kind, name: name.octets, text };
}

/** Canonical octets of a name without star or plus, or what is wrong with it. */
export function readName(text: string): { readonly octets: Uint8Array } | Complaint {
  const foreign = complainOfShape(text);
  if (foreign !== null) return foreign;
  if (text.includes('*') || text.startsWith('+')) {
    return {
      what: `"${text}" is a pattern; only one name can stand here`,
      instead: `write "${withoutPrefix(text)}"`,
    };
  }
  if (text.startsWith('.') && text !== '.')
    return { what: `"${text}" begins with a dot`, instead: `write "${withoutPrefix(text)}"` };
  const ascii = isAscii(text) ? text : toAsciiName(text);
  if (typeof ascii !== 'string') return ascii;
  const odd = /[^A-Za-z0-9_.\\-]/.exec(ascii.replace(/\\(\d{3}|.)/g, ''));
  if (odd !== null) {
    const escaped = `\\${String(odd[0].charCodeAt(0)).padStart(3, '0')}`;
    const what = `"${text}" has the character ${JSON.stringify(odd[0])}`;
    return {
      what,
      instead: `write letters, digits, hyphens, underscores and dots; if the name really has it, write ${escaped} for it`,
    };
  }
  try {
    return { octets: nameOctets(ascii) };
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    return {
      what: error.message.split(';')[0],
      instead: 'write labels of 1 to 63 characters, separated by single dots, at most 253 in all',
    };
  }
}

/** Whether a canonical name has octets other than letters, digits, hyphen and underscore. */
export function hasOddOctets(name: Uint8Array): boolean {
  for (let at = 0; name[at] !== 0; at += name[at] + 1) {
    for (let i = at + 1; i <= at + name[at]; i++)
      if (!/[a-z0-9_-]/.test(String.fromCharCode(name[i]))) return true;
  }
  return false;
}

/** What was written in another script, as it is stored; null when it was ASCII. */
export const storedForm = (pattern: PatternSource): string | null =>
  isAscii(pattern.text)
    ? null
    : (pattern.kind === 'exact' ? '' : pattern.text.slice(0, 2)) + nameText(pattern.name);

const isAscii = (text: string): boolean => /^[\u0000-\u007f]*$/.test(text);

/** Things that are not names at all: addresses, links, mail addresses, filters of other tools. */
function complainOfShape(text: string): Complaint | null {
  const link = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/@]*@)?(\[[^\]]*\]|[^/:?#]*)/i.exec(text);
  if (link !== null) return { what: `"${text}" is a URL`, instead: `write the name alone: "${link[1]}"` };
  const filter = /^\|\|([^/^$]+)\^?/.exec(text);
  if (filter !== null)
    return { what: `"${text}" is a rule of a content blocker`, instead: `write "+.${filter[1]}"` };
  if (text.startsWith('/')) {
    return {
      what: `"${text}" is a path or a regular expression`,
      instead: 'write names; "*.example.com" covers everything below one',
    };
  }
  if (
    isIP(text.replace(/^\[|\]$/g, '')) !== 0 ||
    /^[\d.]+\/\d+$/.test(text) ||
    /^[0-9a-f]*:[0-9a-f:]+(\/\d+)?$/i.test(text)
  ) {
    return { what: `"${text}" is an address, not a name`, instead: reverseHint(text) };
  }
  const mail = /^[^@\s]+@([^@\s]+)$/.exec(text);
  if (mail !== null)
    return { what: `"${text}" is a mail address`, instead: `write the name alone: "${mail[1]}"` };
  const port = /^([^:/]+):(\d+)(\/.*)?$/.exec(text);
  if (port !== null)
    return { what: `"${text}" has a port, and DNS knows none`, instead: `write "${port[1]}"` };
  const path = /^([^/]+)\//.exec(text);
  if (path !== null)
    return { what: `"${text}" has a path, and DNS knows none`, instead: `write "${path[1]}"` };
  const several = text.split(/[\s,;]+/).filter((one) => one !== '');
  if (several.length > 1) {
    return {
      what: `"${text}" is more than one name`,
      instead: `write each as its own entry: [${several.map((one) => `"${one}"`).join(', ')}]`,
    };
  }
  return null;
}

function reverseHint(text: string): string {
  if (isIP(text) !== 4) return 'write a name; rules about addresses are not part of a policy';
  return `write a name; for its reverse lookup "${text.split('.').reverse().join('.')}.in-addr.arpa" with types: [PTR]`;
}

function complainOfStar(text: string): Complaint {
  const what = `the star in "${text}" does not stand for whole labels at the front`;
  if (text === '*' || text === '**') {
    return {
      what: `"${text}" would be every name there is`,
      instead: 'write the names that are needed; "+." with unsafeWildcard is every name',
    };
  }
  const base = withoutPrefix(text);
  const cut = base.lastIndexOf('*');
  const after = cut === -1 ? base : base.slice(base.indexOf('.', cut) + 1);
  if (after === '' || after.includes('*'))
    return { what, instead: 'write "*." and a name, for example "*.example.com"' };
  if (text.startsWith('**.'))
    return { what: `"${text}" has two stars`, instead: `write "*.${after}": it covers every depth` };
  return {
    what,
    instead: `write "*.${after}" for everything below ${after}, "+.${after}" for that and ${after} itself, or the names one by one`,
  };
}

function complainOfDot(text: string, rest: string): Complaint {
  const base = withoutPrefix(rest);
  const what = text === rest ? `"${text}" begins with a dot` : `"${text}" has two dots in a row`;
  return {
    what,
    instead: `write "*.${base}" for everything below ${base}, or "+.${base}" for that and ${base} itself`,
  };
}

const withoutPrefix = (text: string): string => text.replace(/^[*+.]+/, '');

/** A name with other than ASCII characters as A-labels. */
function toAsciiName(text: string): string | Complaint {
  // Octets that end a host in a URL would cut the name short without a word.
  const clean = /^[A-Za-z0-9_.\-\u0080-\u{10ffff}]+$/u.test(text);
  const ascii = clean ? domainToASCII(text) : '';
  if (ascii !== '' && isIP(ascii) === 0 && /^[a-z0-9_.-]+$/.test(ascii)) return ascii;
  return {
    what: `"${text}" is not a name that can be registered (UTS 46)`,
    instead: 'write its A-label form ("xn--…")',
  };
}
