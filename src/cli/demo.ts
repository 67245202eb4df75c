import { Command } from 'commander';
export const demoCommand = (): Command => new Command('demo').description('a tour without any network');
