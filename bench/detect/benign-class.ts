/** How a class of ordinary traffic is made: clients that ask at Poisson moments of the working day, from a seed. */
import { type Random, WORDS } from './random.ts';
import { A, DAY, type Made, START } from './traffic.ts';

export interface Fleet {
  /** How many clients there are. */
  readonly clients: number;
  /** First octets of their addresses, so that several classes can speak for the same clients. */
  readonly network: string;
}

export interface BenignClass {
  readonly name: string;
  /**
   * `conflict`: what the class does is what the detector promises to stop, so it is listed apart: only a rule or a profile can let it
   * pass.
   */
  readonly kind: 'general' | 'hard' | 'conflict';
  /** Traffic of `days` days, by the class's own clients or by those of `fleet`. */
  make(random: Random, days: number, fleet?: Fleet): Made[];
}

export const PTR = 12;

export const TLDS = [
  'com',
  'com',
  'com',
  'net',
  'org',
  'io',
  'de',
  'co.uk',
  'fr',
  'com.br',
  'co',
  'app',
  'dev',
  'it',
  'nl',
  'edu',
  'gov',
  'tv',
];
export const FIRST = [
  'www',
  'www',
  'www',
  'api',
  'cdn',
  'static',
  'img',
  'assets',
  'mail',
  'login',
  'app',
  'm',
  'media',
  'shop',
  'blog',
  'images',
  'data',
  'js',
  'analytics',
  'tracking',
  'metrics',
  'events',
  'video',
  's',
  'fonts',
  'account',
  'sso',
  'auth',
  'help',
  'support',
  'news',
  'pixel',
  'sync',
  'ads',
  'cdn2',
  'img1',
  'img2',
  'edge',
  'origin',
  'eu',
  'us-east',
  'beta',
  'smetrics',
  'consent',
  'collector',
  'rum',
  'in',
  'go',
  'links',
  'click',
  'track',
  'e',
  'get',
  'my',
  'secure',
  'download',
  'dl',
  'update',
  'status',
  'push',
  'ws',
  'chat',
  'widget',
  'embed',
  'cdn-prod',
  'assets-global',
  'prod-eu-1',
  'lb-fra3',
  'web-03',
];

export function brand(random: Random): string {
  const a = random.pick(WORDS);
  const b = random.pick(WORDS);
  const shape = random.below(5);
  const owner =
    shape === 0
      ? a + b
      : shape === 1
        ? `${a}-${b}`
        : shape === 2
          ? a + random.pick(['ly', 'ify', 'hub', 'labs', 'soft', 'media', 'bank', 'shop'])
          : shape === 3
            ? a.slice(0, 3) + b.slice(0, 4)
            : a + random.below(400);
  return `${owner}.${random.pick(TLDS)}`;
}

export const office = (random: Random, count: number, network?: string): string[] => {
  const own = `10.${random.between(20, 60)}`;
  const base = network ?? own;
  return Array.from({ length: count }, (_, i) => `${base}.${i >> 8}.${(i & 255) + 1}`);
};

/** Calls `each` at Poisson moments of the working day (nights are quiet). */
export function during(random: Random, days: number, meanMs: number, each: (at: number) => void): void {
  for (let at = START; at < START + days * DAY; at += random.wait(meanMs)) {
    const hour = new Date(at).getUTCHours();
    if ((hour < 7 || hour >= 19) && random.unit() > 0.1) continue;
    each(at);
  }
}

export const query = (
  atMs: number,
  client: string,
  name: string,
  type = A,
  rcode = 0,
  octets = 110,
): Made => ({
  atMs,
  client,
  name,
  type,
  rcode,
  octets,
  payload: 0,
});

/** Classes with so few clients are those of servers. */
const SERVERS_MAX = 6;

export const perClient = (
  name: string,
  kind: BenignClass['kind'],
  clients: number,
  meanMs: number,
  one: (random: Random, at: number, client: string, state: Map<string, unknown>) => Made[],
): BenignClass => ({
  name,
  kind,
  make(random, days, fleet) {
    const made: Made[] = [];
    const state = new Map<string, unknown>();
    // Servers do not become more when the fleet grows; a fleet of one does everything itself.
    const count =
      fleet === undefined
        ? clients
        : clients <= SERVERS_MAX
          ? Math.min(clients, fleet.clients)
          : fleet.clients;
    for (const client of office(random, count, fleet?.network))
      during(random, days, meanMs, (at) => made.push(...one(random, at, client, state)));
    return made;
  },
});

/** A value that stays the same for a key. */
export function kept<T>(state: Map<string, unknown>, key: string, make: () => T): T {
  if (!state.has(key)) state.set(key, make());
  return state.get(key) as T;
}

export const dotted = (random: Random): string =>
  Array.from({ length: 4 }, () => random.below(256)).join('.');
