/** `sallyport audit`: reading the log, and proving that it is whole. */
import { Command } from 'commander';
import { compressCommand } from './audit-compress.ts';
import { decryptCommand, keygenCommand } from './audit-decrypt.ts';
import { eraseCommand } from './audit-erase.ts';
import { exportCommand } from './audit-export.ts';
import { indexCommand } from './audit-index.ts';
import { checkProofCommand, proveCommand } from './audit-prove.ts';
import { queryLogCommand } from './audit-query.ts';
import { secretHashCommand } from './audit-secret-hash.ts';
import { statsCommand } from './audit-stats.ts';
import { tailCommand } from './audit-tail.ts';
import { verifyCommand } from './audit-verify.ts';

export function auditCommand(): Command {
  return new Command('audit')
    .description('read the audit log, and prove that it is whole')
    .addCommand(verifyCommand())
    .addCommand(tailCommand())
    .addCommand(queryLogCommand())
    .addCommand(statsCommand())
    .addCommand(secretHashCommand())
    .addCommand(exportCommand())
    .addCommand(compressCommand())
    .addCommand(indexCommand())
    .addCommand(proveCommand())
    .addCommand(checkProofCommand())
    .addCommand(keygenCommand())
    .addCommand(decryptCommand())
    .addCommand(eraseCommand());
}
