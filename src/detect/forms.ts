/**
 * Forms that ordinary services use in everybody's zones, and how much less names of such a form are charged. Each share is
 * a gift to a sender who borrows the form; `docs/detection.md` says what each moves.
 */
import type { Question } from '../wire/index.ts';
import type { Content } from './content.ts';
import type { Form, Standing } from './contract.ts';

/** Browsers' probes in an established zone. */
export const PROBE_SHARE = 0.5;
/** The same in the budget of an hour: three are asked at each start, and whenever the network changes. */
const PROBE_LOUD_SHARE = 0.4;
/** GUIDs of an Active Directory: a controller asks all of its partners' within minutes, and they are no more than these. */
const DIRECTORY_SHARE = 0.35;
/** The same in the budgets of one name and of an hour. */
const DIRECTORY_LOUD_SHARE = 0.2;
/** Addresses in SPF macros. */
const SPF_SHARE = 0.4;

export function formOf(question: Question, content: Content): Form {
  const { name, labelAt } = question;
  if (content.labels >= 5 && isSpfMacro(question)) return 'spf';
  for (let label = 1; label < content.labels; label++)
    if (isLabel(name, labelAt[label], MSDCS)) return 'directory';
  if (name[1] === UNDERSCORE || (content.labels >= 2 && name[labelAt[1] + 1] === UNDERSCORE))
    return 'underscore';
  // Many a network has its directory below a label that is a top-level domain too (`ad`, `int`): probes come first.
  if (content.isProbe) return 'probe';
  return content.isSearch ? 'search' : 'plain';
}

/** How much of `bits` counts. */
export function bitsShare(form: Form, standing: Standing): number {
  if (form === 'spf') return SPF_SHARE;
  if (form === 'directory') return DIRECTORY_SHARE;
  return form === 'probe' && standing === 'established' ? PROBE_SHARE : 1;
}

/**
 * How much of the data-like part counts where place and type explain it: DKIM selectors (RFC 6376), owners of OPENPGPKEY
 * and SMIMEA (RFC 7929, 8162), GUIDs of domain controllers, SPF macros, probes.
 */
export function dataShare(form: Form, question: Question, content: Content): number {
  if (question.type === 61 || question.type === 53) return 0.45;
  switch (form) {
    case 'spf':
      return SPF_SHARE;
    case 'directory':
      return DIRECTORY_LOUD_SHARE;
    case 'probe':
      return PROBE_LOUD_SHARE;
    case 'underscore':
      if (content.labels < 2) return 1;
      return isLabel(question.name, question.labelAt[1], DOMAIN_KEY) ? 0.5 : 1;
    case 'search':
    case 'plain':
      return 1;
  }
}

/** What clients ask of the zone they belong to: their directory, their proxy, whatever stands before their search list. */
export const isHomeForm = (form: Form, content: Content, { name }: Question): boolean =>
  form === 'directory' || content.isSearch || isLabel(name, 0, WPAD);

export const UNDERSCORE = 95;

/** Four decimal octets and a label that begins with `_spf` or `spf`. */
function isSpfMacro(question: Question): boolean {
  const { name, labelAt } = question;
  for (let label = 0; label < 4; label++) {
    const at = labelAt[label];
    if (name[at] > 3) return false;
    for (let i = 1; i <= name[at]; i++) if (name[at + i] < 48 || name[at + i] > 57) return false;
  }
  const at = labelAt[4] + (name[labelAt[4] + 1] === 95 ? 2 : 1);
  return name[at] === 115 && name[at + 1] === 112 && name[at + 2] === 102;
}

const DOMAIN_KEY = Buffer.from('\x0a_domainkey', 'latin1');
const WPAD = Buffer.from('\x04wpad', 'latin1');
const MSDCS = Buffer.from('\x06_msdcs', 'latin1');
function isLabel(name: Uint8Array, at: number, label: Uint8Array): boolean {
  for (let i = 0; i < label.length; i++) if (name[at + i] !== label[i]) return false;
  return true;
}
