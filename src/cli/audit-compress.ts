/** `sallyport audit compress`: closed segments made small. Every other command reads them as before. */
import { Command, Option } from 'commander';
import { type Compression, compressSegments, hasZstd } from '../audit/index.ts';
import { DIRECTORY, Progress, requireLog } from './audit-flags.ts';

export const compressCommand = (): Command =>
  new Command('compress')
    .description('compress every segment but the newest of each worker')
    .argument('[directory]', 'where the segments are', DIRECTORY)
    .addOption(
      new Option('--with <method>', 'gzip, or zstd (Node 22.15 or newer, or the program zstd)')
        .choices(['gzip', 'zstd'])
        .default(hasZstd() ? 'zstd' : 'gzip'),
    )
    .action(compress);

async function compress(directory: string, flags: { readonly with: Compression }): Promise<void> {
  requireLog(directory);
  const progress = new Progress(directory);
  const { segments, before, after } = await compressSegments(directory, flags.with, (file) =>
    progress.step(file),
  );
  progress.end();
  const mb = (octets: number): string => (octets / 1e6).toFixed(1);
  console.log(
    segments === 0
      ? 'There is nothing to compress.'
      : `${segments} segments: ${mb(before)} MB are ${mb(after)} MB now.`,
  );
}
