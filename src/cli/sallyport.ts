#!/usr/bin/env node
/** The command line. Each subcommand is a file of its own; this one joins them and turns what they throw into words. */
import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { Unusable } from './unusable.ts';

/** Also `engines` of package.json, which npm only warns about. */
const NODE_MIN = [20, 19] as const;

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  console.error(
    `sallyport: Node ${NODE_MIN.join('.')} or later is needed, and this is ${process.versions.node} (${process.execPath}); install the current LTS from https://nodejs.org or with your package manager`,
  );
  process.exit(1);
}

/** What each command is made by: loaded when it is asked for, all of them for the list of commands. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./serve.ts')).serveCommand(),
  check: async () => (await import('./check.ts')).checkCommand(),
  explain: async () => (await import('./explain.ts')).explainCommand(),
  query: async () => (await import('./query.ts')).queryCommand(),
  hunt: async () => {
    const [{ huntCommand }, { policyJudge }] = await Promise.all([
      import('./hunt.ts'),
      import('./policy-judge.ts'),
    ]);
    return huntCommand({ loadPolicy: policyJudge });
  },
  verdicts: async () => (await import('./verdicts.ts')).verdictsCommand(),
  release: async () => (await import('./verdicts.ts')).releaseCommand(),
  audit: async () => (await import('./audit.ts')).auditCommand(),
  ship: async () => (await import('./ship.ts')).shipCommand(),
  evidence: async () => (await import('./evidence.ts')).evidenceCommand(),
  demo: async () => (await import('./demo.ts')).demoCommand(),
  version: async () => versionCommand(),
};

function versionCommand(): Command {
  return new Command('version')
    .description('print the version')
    .option('--json', 'as JSON, with the version of Node')
    .action(({ json }: { json?: boolean }) => {
      const versions = { sallyport: VERSION, node: process.versions.node };
      console.log(json ? JSON.stringify(versions) : VERSION);
    });
}

const program = new Command('sallyport')
  .description(
    'A DNS resolver that filters egress: allow-lists with reasons, tunnel detection, a complete audit.',
  )
  .version(VERSION, '-V, --version');
const asked = process.argv[2] ?? '';
const wanted = Object.hasOwn(COMMANDS, asked) ? [COMMANDS[asked]] : Object.values(COMMANDS);
for (const make of wanted) program.addCommand(await make());

/** A reader that has gone (`… | head`) ends a command without a word, and a server not at all. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (asked !== 'serve') process.exit(code === 'EPIPE' ? process.exitCode : 1);
  });
}

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
    process.exitCode = error instanceof Unusable ? 2 : 1;
  }
}
