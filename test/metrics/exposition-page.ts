/**
 * Reads the text exposition format 0.0.4, strictly: it throws on what Prometheus would not accept. Written from the
 * description of the format, with nothing of prom-client in it, so that the two check each other.
 */
export interface PageFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Record<string, string>;
    readonly value: number;
  }[];
}

export function parsePage(page: string): Map<string, PageFamily> {
  if (!page.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, PageFamily>();
  const series = new Set<string>();
  let help: { name: string; text: string } | null = null;
  let current: PageFamily | null = null;
  for (const line of page.split('\n')) {
    if (line === '') continue;
    const helped = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (helped !== null) {
      help = { name: helped[1]!, text: helped[2]! };
      continue;
    }
    const typed = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (typed !== null) {
      const name = typed[1]!;
      if (families.has(name)) throw new Error(`${name} is described twice`);
      if (help?.name !== name) throw new Error(`${name} has no HELP before its TYPE`);
      current = { name, type: typed[2]!, help: help.text, samples: [] };
      families.set(name, current);
      continue;
    }
    if (line.startsWith('#')) throw new Error(`not a line of the format: ${line}`);
    const sample = readSample(line);
    if (current === null || !belongs(sample.name, current))
      throw new Error(`${sample.name} stands outside its family`);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (series.has(key)) throw new Error(`the same series twice: ${line}`);
    series.add(key);
    current.samples.push(sample);
  }
  return families;
}

function belongs(name: string, family: PageFamily): boolean {
  if (family.type !== 'histogram') return name === family.name;
  return ['_bucket', '_sum', '_count'].some((suffix) => name === family.name + suffix);
}

function readSample(line: string): PageFamily['samples'][number] {
  const head = /^([a-zA-Z_:][a-zA-Z0-9_:]*)/.exec(line);
  if (head === null) throw new Error(`not a line of the format: ${line}`);
  let at = head[1]!.length;
  const labels: Record<string, string> = {};
  if (line[at] === '{') {
    at++;
    while (line[at] !== '}') {
      const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,(?!})|(?=}))/.exec(line.slice(at));
      if (label === null) throw new Error(`a bad label at ${at}: ${line}`);
      if (label[1]! in labels) throw new Error(`a label twice: ${line}`);
      labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
      at += label[0].length;
    }
    at++;
  }
  const value = /^ ([+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/i.exec(line.slice(at));
  if (value === null) throw new Error(`not a value: ${line}`);
  return { name: head[1]!, labels, value: Number(value[1]!.replace('Inf', 'Infinity')) };
}
