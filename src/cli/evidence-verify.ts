/** `sallyport evidence verify`: whether a report is what was signed. Exit 0 when it is, 1 when it is not, 2 for a key or file that cannot be read. */
import { createHash, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import { plainText } from '../audit/index.ts';
import { readVerifyingKey, verifySigned } from '../evidence/index.ts';

interface Flags {
  readonly key?: string;
  readonly signature?: string;
  readonly json?: boolean;
}

export const verifyEvidenceCommand = (): Command =>
  new Command('verify')
    .exitOverride()
    .description('check the signature of a report, and that the page beside it is the one it speaks of')
    .argument('<report>', 'the JSON file of the report')
    .option('-k, --key <file or hex>', 'public key of the signer, from elsewhere: PEM, or 64 hex digits')
    .option('--signature <file>', 'the signature (default: the report with .sig behind it)')
    .option('--json', 'as JSON')
    // `evidence` has a --key and a --json too, and takes them wherever they stand.
    .action((file: string, _flags: Flags, command: Command) => verify(file, command.optsWithGlobals()));

function verify(file: string, flags: Flags): void {
  let key: KeyObject;
  let octets: Buffer;
  let signature: Buffer;
  try {
    if (flags.key === undefined)
      throw new Error(
        'a signature is worth as much as its key: write --key and the public key of the signer',
      );
    key = readKey(flags.key);
    octets = readFileSync(file);
    signature = readFileSync(flags.signature ?? `${file}.sig`);
  } catch (error) {
    console.error(
      plainText(`sallyport evidence verify: ${error instanceof Error ? error.message : String(error)}`),
    );
    process.exitCode = 2;
    return;
  }
  const isSigned = verifySigned(octets, signature, key);
  const page = isSigned ? checkPage(file, octets) : { ok: false, what: 'the page was not looked at' };
  const ok = isSigned && page.ok;
  if (!ok) process.exitCode = 1;
  if (flags.json) {
    console.log(JSON.stringify({ ok, signature: isSigned, page: page.what }, null, 2));
    return;
  }
  console.log(
    isSigned
      ? plainText(`${file}: signed with this key, not changed since; ${page.what}.`)
      : plainText(`${file}: NOT what was signed with this key; it was changed, or another key signed it.`),
  );
}

const readKey = (text: string): KeyObject => {
  if (/^[0-9a-fA-F]{64}$/.test(text)) return readVerifyingKey(text);
  const read = readFileSync(text, 'utf8');
  try {
    return readVerifyingKey(read);
  } catch (error) {
    throw new Error(`${text}: ${error instanceof Error ? error.message : String(error)}`);
  }
};

/** The page is beside the report under the name that the report gives; only its name counts, never a path. */
function checkPage(report: string, octets: Buffer): { readonly ok: boolean; readonly what: string } {
  const { html } = JSON.parse(octets.toString('utf8')) as { html?: { file: string; sha256: string } };
  if (html === undefined) return { ok: true, what: 'it speaks of no page' };
  const file = join(dirname(report), basename(html.file));
  if (!existsSync(file))
    return { ok: true, what: `its page ${basename(html.file)} is not here and was not checked` };
  const isSame = createHash('sha256').update(readFileSync(file)).digest('hex') === html.sha256;
  return isSame
    ? { ok: true, what: `its page ${basename(html.file)} is the one it speaks of` }
    : { ok: false, what: `its page ${basename(html.file)} is NOT the one it speaks of` };
}
