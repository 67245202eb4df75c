/** Which policy files there are, and their text. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, isAbsolute, join, relative } from 'node:path';
import type { Fault, Path } from './fault.ts';
import { plain, readYaml, YAML_LENGTH_MAX, type YamlSource } from './yaml-source.ts';

export interface FoundFiles {
  readonly files: readonly string[];
  readonly faults: readonly Fault[];
}

/** The files behind paths; of a directory its *.yaml and *.yml, in the order of their names. */
export function findFiles(paths: readonly string[]): FoundFiles {
  const files = new Set<string>();
  const faults: Fault[] = [];
  for (const path of paths) {
    try {
      const isDirectory = statSync(path).isDirectory();
      const inside = isDirectory ? yamlFilesOf(path) : [path];
      if (inside.length === 0)
        faults.push(
          whole(
            shown(path),
            'the directory has no *.yaml file',
            'write a policy file, for example starter.yaml',
          ),
        );
      for (const file of inside) files.add(file);
    } catch (error) {
      faults.push(unreadable(shown(path), error));
    }
  }
  return { files: [...files], faults };
}

const yamlFilesOf = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => ['.yaml', '.yml'].includes(extname(name)) && !name.startsWith('.'))
    .sort()
    .map((name) => join(directory, name));

/** A path as people like to read it: relative when it is below the working directory. */
function shown(path: string): string {
  const short = relative(process.cwd(), path);
  return short === '' || short.startsWith('..') || isAbsolute(short) ? path : short;
}

/** The file as YAML; what cannot be read is a fault of the source. */
export function readPolicyFile(path: string): YamlSource {
  const file = shown(path);
  try {
    const stats = statSync(path);
    if (!stats.isFile())
      return plain(file, [whole(file, 'this is not a regular file', 'write the path of a YAML file')]);
    if (stats.size > YAML_LENGTH_MAX) {
      const what = `the file has ${stats.size} octets; at most ${YAML_LENGTH_MAX} are read`;
      return plain(file, [
        whole(file, what, 'move long lists of names into text files and name them under `lists`'),
      ]);
    }
    return readYaml(file, readFileSync(path, 'utf8'));
  } catch (error) {
    return plain(file, [unreadable(file, error)]);
  }
}

function unreadable(file: string, error: unknown): Fault {
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
  const what = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`;
  const instead =
    'name a policy file, or a directory with *.yaml files: with --policy, or `policies` in sallyport.yaml';
  return whole(file, what, instead);
}

/** A fault of the file as a whole. */
export function whole(file: string, what: string, instead: string): Fault {
  const path: Path = [];
  return plain(file, []).fault('fault', path, what, instead);
}
