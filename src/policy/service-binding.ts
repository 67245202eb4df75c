/** RDATA of SVCB and HTTPS from its presentation form (RFC 9460 sections 2.1, 2.2 and 7). */
import { join, nameAt, RecordError, stringOctets, type Word } from './master-line.ts';
import { ipv4Octets, ipv6Octets, numberOf, u16Octets, u16Of } from './record-values.ts';

const KEYS: Record<string, number> = {
  mandatory: 0,
  alpn: 1,
  'no-default-alpn': 2,
  port: 3,
  ipv4hint: 4,
  ech: 5,
  ipv6hint: 6,
  dohpath: 7,
  ohttp: 8,
};

export function serviceBinding(
  [priority, target, ...written]: readonly Word[],
  origin: Uint8Array,
): Uint8Array {
  if (target === undefined) throw new RecordError('has no target name', '');
  const params = written.map(readParam).sort((left, right) => left.key - right.key);
  const keys = params.map(({ key }) => key);
  const repeated = keys.find((key, i) => key === keys[i - 1]);
  if (repeated !== undefined)
    throw new RecordError(`parameter ${keyName(repeated)} is given twice`, 'each parameter once');
  if (numberOf(priority, 'priority', 0xffff) === 0 && params.length > 0) {
    throw new RecordError(
      'priority 0 makes an alias, which takes no parameters',
      'priority 1, or no parameters',
    );
  }
  checkMandatory(params);
  if (keys.includes(KEYS['no-default-alpn']) && !keys.includes(KEYS['alpn'])) {
    throw new RecordError('no-default-alpn stands without alpn', 'alpn=h2 no-default-alpn');
  }
  return join(
    u16Of(priority, 'priority'),
    nameAt(target.text, origin),
    ...params.map(({ key, value }) => join(u16Octets(key), u16Octets(value.length), value)),
  );
}

interface Param {
  readonly key: number;
  readonly value: Uint8Array;
}

function readParam({ text }: Word): Param {
  const equals = text.indexOf('=');
  const name = (equals < 0 ? text : text.slice(0, equals)).toLowerCase();
  const value = equals < 0 ? '' : text.slice(equals + 1);
  const key = keyOf(name);
  if (key === null)
    throw new RecordError(
      `"${name}" is not a parameter of SVCB`,
      `one of ${Object.keys(KEYS).join(', ')}, or keyNNNNN`,
    );
  return { key, value: readValue(key, name, value) };
}

function readValue(key: number, name: string, text: string): Uint8Array {
  const items = text.split(',');
  const needsValue = key !== KEYS['no-default-alpn'] && key !== KEYS['ohttp'];
  if (key <= 8 && needsValue === (text === '')) {
    throw new RecordError(
      `parameter ${name} ${needsValue ? 'needs a value' : 'takes no value'}`,
      needsValue ? `${name}=…` : name,
    );
  }
  switch (key) {
    case KEYS['mandatory']: {
      const keys = items.map((item) => keyOf(item.toLowerCase()));
      if (keys.includes(null) || keys.includes(0))
        throw new RecordError(`"${text}" is not a list of parameters`, 'mandatory=alpn,port');
      return join(
        ...keys
          .map(Number)
          .sort((left, right) => left - right)
          .map(u16Octets),
      );
    }
    case KEYS['alpn']:
      return join(
        ...items.map((item) => {
          const octets = stringOctets(item);
          if (octets.length === 0 || octets.length > 255)
            throw new RecordError(`"${text}" is not a list of protocols`, 'alpn=h2,h3');
          return join([octets.length], octets);
        }),
      );
    case KEYS['port']:
      return Uint8Array.from(u16Of({ text, isQuoted: false }, 'port'));
    case KEYS['ipv4hint']:
      return join(...items.map(ipv4Octets));
    case KEYS['ipv6hint']:
      return join(...items.map(ipv6Octets));
    case KEYS['ech']:
      if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw new RecordError('ech is not base64', 'ech="AEj+DQ…"');
      return new Uint8Array(Buffer.from(text, 'base64'));
    default:
      return stringOctets(text);
  }
}

/** What is mandatory must be there, once, and not be `mandatory` itself (RFC 9460 section 8). */
function checkMandatory(params: readonly Param[]): void {
  const mandatory = params.find(({ key }) => key === KEYS['mandatory']);
  if (mandatory === undefined) return;
  for (let at = 0; at < mandatory.value.length; at += 2) {
    const key = mandatory.value[at] * 256 + mandatory.value[at + 1];
    if (!params.some((param) => param.key === key)) {
      throw new RecordError(
        `parameter ${keyName(key)} is mandatory and missing`,
        'every parameter that mandatory names',
      );
    }
  }
}

function keyOf(name: string): number | null {
  if (Object.hasOwn(KEYS, name)) return KEYS[name];
  const number = /^key(\d{1,5})$/.exec(name)?.[1];
  return number !== undefined && Number(number) < 0xffff ? Number(number) : null;
}

const keyName = (key: number): string => Object.keys(KEYS).find((name) => KEYS[name] === key) ?? `key${key}`;
