import { describe, expect, test } from 'vitest';
import { octetCounted, syslogMessage } from '../../src/syslog/index.ts';

const MESSAGE = {
  facility: 'local0',
  severity: 'info',
  atMs: Date.UTC(2026, 10, 21, 9, 10, 11, 123),
  hostname: 'host.example',
  app: 'sallyport',
  procid: '4711',
  msgid: 'checkpoint',
  data: [],
  text: 'text',
} as const;

describe('syslogMessage', () => {
  test.each([
    {
      name: 'header and text',
      change: {},
      text: '<134>1 2026-11-21T09:10:11.123Z host.example sallyport 4711 checkpoint - text',
    },
    {
      name: 'no text, and nothing behind the data',
      change: { text: '' },
      text: '<134>1 2026-11-21T09:10:11.123Z host.example sallyport 4711 checkpoint -',
    },
    {
      name: 'values in which quotes, backslashes and brackets are escaped (RFC 5424 section 6.3.3)',
      change: {
        data: [
          { id: 'x@32473', values: { a: 'q"b\\]', b: '' } },
          { id: 'y@32473', values: {} },
        ],
      },
      text: '<134>1 2026-11-21T09:10:11.123Z host.example sallyport 4711 checkpoint [x@32473 a="q\\"b\\\\\\]" b=""][y@32473] text',
    },
    {
      name: 'fields without what may not stand in them, and a dash for what is empty',
      change: { hostname: 'a b\nc', app: '', procid: 'é', severity: 'emergency', facility: 'kern' },
      text: '<0>1 2026-11-21T09:10:11.123Z abc - - checkpoint - text',
    },
  ] as const)('$name', ({ change, text }) => {
    expect(syslogMessage({ ...MESSAGE, ...change }).toString()).toBe(text);
  });
});

test('octetCounted counts octets, not characters', () => {
  expect(octetCounted(Buffer.from('é')).toString()).toBe('2 é');
});
