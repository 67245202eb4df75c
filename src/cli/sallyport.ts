#!/usr/bin/env node
/** The command line. Each subcommand is a file of its own; this one joins them and turns what they throw into words. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { auditCommand } from './audit.ts';
import { checkCommand } from './check.ts';
import { demoCommand } from './demo.ts';
import { evidenceCommand } from './evidence.ts';
import { explainCommand } from './explain.ts';
import { huntCommand } from './hunt.ts';
import { policyJudge } from './policy-judge.ts';
import { queryCommand } from './query.ts';
import { serveCommand } from './serve.ts';
import { releaseCommand, verdictsCommand } from './verdicts.ts';

const program = new Command('sallyport')
  .description(
    'A DNS resolver that filters egress: allow-lists with reasons, tunnel detection, a complete audit.',
  )
  .version(VERSION, '-V, --version')
  .addCommand(serveCommand())
  .addCommand(checkCommand())
  .addCommand(explainCommand())
  .addCommand(queryCommand())
  .addCommand(huntCommand({ loadPolicy: policyJudge }))
  .addCommand(verdictsCommand())
  .addCommand(releaseCommand())
  .addCommand(auditCommand())
  .addCommand(evidenceCommand())
  .addCommand(demoCommand())
  .addCommand(
    new Command('version')
      .description('print the version')
      .option('--json', 'as JSON, with the version of Node')
      .action(({ json }: { json?: boolean }) => {
        const versions = { sallyport: VERSION, node: process.versions.node };
        console.log(json ? JSON.stringify(versions) : VERSION);
      }),
  );

/** Wrong arguments are told from faults by their exit code, in every command and the commands below it. */
function throwWhatIsWrong(command: Command): void {
  command.exitOverride().showHelpAfterError('(--help explains the arguments)');
  for (const below of command.commands) throwWhatIsWrong(below);
}
throwWhatIsWrong(program);

try {
  await program.parseAsync();
} catch (error) {
  // Commander has said what was wrong with the arguments, or printed what was asked for.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    console.error(`sallyport: ${error instanceof Error ? error.message : String(error)}`);
    if (process.env['NODE_DEBUG']?.includes('sallyport')) console.error(error);
    process.exitCode = 1;
  }
}
