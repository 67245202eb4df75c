/**
 * What strangers wrote, for a report: bounded, and without characters that could forge a line of a log or turn the text
 * around on a screen (controls, directional marks, line separators).
 */
export function printable(text: string, lengthMax: number): string {
  const plain = text.slice(0, lengthMax).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?');
  return text.length > lengthMax ? `${plain}…` : plain;
}
