/** What the readers of a policy share: gathering faults, broken parts without their broken fields, denial answers. */
import type { z } from 'zod';
import type { DenyResponse } from '../policy/index.ts';
import { addressOctets } from './address.ts';
import type { Complaint, Fault, Path, Severity } from './fault.ts';
import type { DenyAnswer } from './policy-document.ts';
import type { Place, YamlSource } from './yaml-source.ts';

/** Gathers the faults of one file. */
export class Report {
  readonly faults: Fault[] = [];
  readonly source: YamlSource;

  constructor(source: YamlSource) {
    this.source = source;
  }

  add(severity: Severity, path: Path, complaint: Complaint, place: Place = 'value'): void {
    this.faults.push(this.source.fault(severity, path, complaint.what, complaint.instead, place));
  }
}

/**
 * The part with its defaults, or without its broken and unknown fields when it has some; null when what is left is not
 * enough. The broken fields are reported elsewhere, from the document as a whole.
 */
export function salvage<Schema extends z.ZodType>(schema: Schema, raw: unknown): z.output<Schema> | null {
  const whole = schema.safeParse(raw);
  if (whole.success) return whole.data;
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return null;
  const broken = new Set(
    whole.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [String(issue.path[0])],
    ),
  );
  const rest = Object.fromEntries(Object.entries(raw).filter(([key]) => !broken.has(key)));
  const salvaged = schema.safeParse(rest);
  return salvaged.success ? salvaged.data : null;
}

/** The answer for the denied, with addresses as octets; unreadable ones are reported. */
export function readDenyAnswer(report: Report, path: Path, answer: DenyAnswer): DenyResponse {
  if (typeof answer === 'string') return { kind: answer };
  const read = (key: 'a' | 'aaaa', length: number, example: string): Uint8Array | null => {
    const text = answer[key];
    if (text === undefined) return null;
    const octets = addressOctets(text);
    if (octets?.length === length) return octets;
    const family = length === 4 ? 'IPv4' : 'IPv6';
    report.add('fault', [...path, key], {
      what: `"${text}" is not an ${family} address`,
      instead: `write for example "${example}"`,
    });
    return null;
  };
  const a = read('a', 4, '192.0.2.1');
  const aaaa = read('aaaa', 16, '2001:db8::1');
  if (answer.a === undefined && answer.aaaa === undefined) {
    const instead = 'write "a: 192.0.2.1", "aaaa: 2001:db8::1" or both, or "nxdomain" instead of the mapping';
    report.add('fault', path, { what: 'the answer has no address', instead });
  }
  return { kind: 'address', a, aaaa };
}
