/** What a drill found: measured numbers, and which of its claims held. */
export interface Claim {
  readonly claim: string;
  readonly measured: string;
  readonly held: boolean;
}

export const claim = (text: string, measured: string | number, held: boolean): Claim => ({
  claim: text,
  measured: typeof measured === 'number' ? measured.toLocaleString('en-US') : measured,
  held,
});

export function printClaims(title: string, claims: readonly Claim[]): void {
  process.stdout.write(`\n${title}\n`);
  for (const { claim: text, measured, held } of claims) {
    process.stdout.write(`  ${held ? 'held  ' : 'FAILED'}  ${text}: ${measured}\n`);
  }
}
