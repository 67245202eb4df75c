/**
 * Which section speaks to which control. Ids only: the texts of standards are their publishers', and whether a section
 * satisfies a control is for the auditor to say. Where the numbering is not settled the family is named instead.
 */
export interface Control {
  readonly framework: string;
  readonly ids: readonly string[];
  /** Said beside the ids. */
  readonly remark?: string;
}

export const CONFIRM = 'mapping to be confirmed by the auditor';

const waf: Control = { framework: 'WAF', ids: ['WAF-SOV-090'], remark: CONFIRM };
const gdpr = (...ids: string[]): Control => ({ framework: 'GDPR', ids });
const iso = (...ids: string[]): Control => ({ framework: 'ISO/IEC 27001:2022', ids });
const c5 = (...ids: string[]): Control => ({ framework: 'BSI C5:2020', ids });
/** The candidate scheme has been renumbered between drafts, so only families are named. */
const eucs = (...families: string[]): Control => ({ framework: 'EUCS', ids: families, remark: CONFIRM });

export const CONTROLS = {
  integrity: [
    waf,
    gdpr('Art. 32'),
    iso('A.8.20', 'A.8.21'),
    c5('OPS-10', 'OPS-12', 'OPS-14', 'OPS-15'),
    eucs('family Operational security'),
  ],
  allowList: [
    waf,
    gdpr('Art. 30', 'Art. 32'),
    iso('A.8.20', 'A.8.21', 'A.8.22'),
    c5('COS-01', 'COS-02', 'COS-04'),
    eucs('family Communication security'),
  ],
  processors: [
    waf,
    gdpr('Art. 28', 'Art. 30', 'Art. 44', 'Art. 45', 'Art. 46'),
    iso('A.8.21'),
    c5('SSO-03', 'SSO-04'),
    eucs('family Procurement management'),
  ],
  exceptions: [
    waf,
    gdpr('Art. 32'),
    iso('A.8.20', 'A.8.22'),
    c5('SP-03', 'COS-04'),
    eucs('family Communication security'),
  ],
  denied: [
    waf,
    gdpr('Art. 32'),
    iso('A.8.20', 'A.8.22'),
    c5('COS-01', 'COS-03', 'COS-04'),
    eucs('family Communication security'),
  ],
  alarms: [
    waf,
    gdpr('Art. 32'),
    iso('A.8.20', 'A.8.21'),
    c5('COS-01', 'COS-03', 'OPS-13'),
    eucs('family Incident management'),
  ],
  firstSeen: [
    waf,
    gdpr('Art. 30', 'Art. 44'),
    iso('A.8.20', 'A.8.21'),
    c5('COS-03'),
    eucs('family Communication security'),
  ],
  unused: [
    waf,
    gdpr('Art. 32'),
    iso('A.8.20', 'A.8.22'),
    c5('COS-02', 'COS-04'),
    eucs('family Communication security'),
  ],
  gaps: [
    waf,
    gdpr('Art. 32'),
    iso('A.8.20', 'A.8.21'),
    c5('OPS-13', 'OPS-17'),
    eucs('family Operational security'),
  ],
  configuration: [
    waf,
    gdpr('Art. 30', 'Art. 32'),
    iso('A.8.20', 'A.8.21', 'A.8.22'),
    c5('COS-02', 'OPS-16'),
    eucs('family Operational security'),
  ],
} as const satisfies Record<string, readonly Control[]>;

export type SectionName = keyof typeof CONTROLS;
