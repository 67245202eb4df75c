/** Runs `sallyport evidence` as the program does: what it printed, and its exit code. */
import { Command, CommanderError } from 'commander';
import { vi } from 'vitest';
import { evidenceCommand } from '../../src/cli/evidence.ts';
import { type Case, FROM, NOW, TO } from './fixture.ts';

export interface Ran {
  readonly out: string;
  readonly errors: string;
  readonly code: number;
}

export async function run(...argv: readonly string[]): Promise<Ran> {
  let out = '';
  let errors = '';
  const take = (text: unknown): boolean => {
    out += String(text);
    return true;
  };
  const spies = [
    vi.spyOn(console, 'log').mockImplementation((text: string) => void take(`${text}\n`)),
    vi.spyOn(console, 'error').mockImplementation((text: string) => {
      errors += `${text}\n`;
    }),
    vi.spyOn(process.stdout, 'write').mockImplementation(take),
    vi.spyOn(Date, 'now').mockReturnValue(NOW),
  ];
  process.exitCode = 0;
  try {
    const evidence = evidenceCommand();
    const writeErr = (text: string): void => {
      errors += text;
    };
    for (const command of [evidence, ...evidence.commands]) command.configureOutput({ writeErr });
    const program = new Command('sallyport').exitOverride();
    await program.addCommand(evidence).parseAsync(['evidence', ...argv], { from: 'user' });
    return { out, errors, code: Number(process.exitCode) };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { out, errors, code: error.exitCode === 0 ? 0 : 2 };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0;
  }
}

export const runFor = ({ config }: Case, ...argv: readonly string[]): Promise<Ran> =>
  run('--config', config, '--from', FROM, '--to', TO, ...argv);
