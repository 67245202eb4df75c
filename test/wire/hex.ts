/** Octets as annotated hex: blanks are ignored, and what stands behind a semicolon up to the end of its line. */
export function hex(strings: TemplateStringsArray, ...values: readonly (string | number)[]): Uint8Array {
  const text = strings.reduce(
    (all, part, i) => all + part + (i < values.length ? String(values[i]) : ''),
    '',
  );
  const digits = text.replace(/;.*$/gm, '').replace(/\s+/g, '');
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hex: ${digits}`);
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}
