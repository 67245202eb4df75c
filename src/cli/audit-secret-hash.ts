/** `sallyport audit secret-hash`: the mark under which a secret stands in this log. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { findSecretsInText } from '../detect/index.ts';
import { markOf, readRedactionKey } from '../redaction-key.ts';
import { DIRECTORY } from './audit-flags.ts';

export const secretHashCommand = (): Command =>
  new Command('secret-hash')
    .description(
      'print the mark under which a secret stands in the log, to search for with "audit query --secret"',
    )
    .argument('[value]', 'the secret; better on standard input, where no history keeps it')
    .option('-d, --directory <directory>', 'where the segments are, and redaction.key beside them', DIRECTORY)
    .action((value: string | undefined, { directory }: { directory: string }) => {
      const key = keyOf(directory);
      if (value === undefined && process.stdin.isTTY === true)
        process.stderr.write('Type the secret, then Enter and Ctrl-D. It is not written anywhere.\n');
      const text = (value ?? readFileSync(0, 'latin1')).trim();
      const secrets = findSecretsInText(Buffer.from(text, 'latin1'));
      if (secrets.length === 0)
        throw new Error(
          'this has none of the forms that are looked for, so nothing in the log stands for it (docs/detection.md lists the forms)',
        );
      for (const secret of secrets) process.stdout.write(`${markOf(secret, key)}  ${secret.what}\n`);
    });

function keyOf(directory: string): Uint8Array {
  try {
    return readRedactionKey(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new Error(
        `${directory} has no redaction.key; give the directory of the log (setting audit.directory), where the server has made it`,
      );
    if (code === 'EACCES')
      throw new Error(
        `redaction.key of ${directory} may be read by the user of the server only; run this as that user`,
      );
    throw error;
  }
}
