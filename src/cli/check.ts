/** `sallyport check`: everything that is wrong with settings and policies, at once. */

import { Command } from 'commander';
import { loadPolicy } from '../policy-loading.ts';
import { counted } from './counted.ts';
import { printFaults, readSettings, type SettingsFlags, withSettings } from './settings-flags.ts';

export function checkCommand(): Command {
  return withSettings(new Command('check'))
    .description('validate settings and policies; exit 1 when anything must be mended')
    .argument('[policy...]', 'policy files or directories instead of those of the settings')
    .option('--json', 'faults as JSON')
    .option('--strict', 'exit 1 for warnings too')
    .addHelpText(
      'after',
      `
Examples:
  sallyport check                          settings and policies as "serve" would read them
  sallyport check policies/office.yaml --strict
  sallyport check my-policy.yaml --json    for editors and pipelines`,
    )
    .action(check);
}

function check(policies: string[], flags: SettingsFlags & { json?: boolean; strict?: boolean }): void {
  const asJson = flags.json ?? false;
  const settings = readSettings(policies.length === 0 ? flags : { ...flags, policy: policies }, asJson);
  if (settings === null) return;
  const loaded = loadPolicy(settings, { hashSeed: 0, generation: 1, nowMs: Date.now() });
  printFaults(loaded.faults, asJson);
  const isFaulty = !('compiled' in loaded);
  const hasWarnings = loaded.faults.some(({ severity }) => severity !== 'notice');
  if (isFaulty || (flags.strict && hasWarnings)) process.exitCode = 1;
  if (asJson) return;
  if (isFaulty) {
    const count = loaded.faults.filter(({ severity }) => severity === 'fault').length;
    console.error(`\n${counted(count, 'fault')}: the policy would not go into force.`);
    return;
  }
  const { policy, ruleCount, files } = loaded;
  console.log(
    `${files.join(', ')}: ${counted(ruleCount, 'rule')} in force for ${policy.groups.length === 1 ? 'group' : 'groups'} ${policy.groups.map(({ name }) => name).join(', ')}.`,
  );
}
