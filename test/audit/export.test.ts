/** What other systems are given: their own names and numbers, for every way in which a query can end. */
import { describe, expect, test } from 'vitest';
import { type AuditRecord, EXPORT_FORMATS, type Found } from '../../src/audit/index.ts';

const record: AuditRecord = {
  seq: 7,
  time: '2026-11-21T09:10:11.123Z',
  up: 1,
  us: 1850,
  via: 'udp',
  client: '192.0.2.7',
  port: 5353,
  id: 4711,
  rcode: 'NOERROR',
  qname: 'www.example.com',
  qtype: 'A',
  verdict: 'allow',
  rule: 'base/allow/3',
  reason: 'package registry',
  answers: ['A 192.0.2.1'],
};

const found = (members: Partial<AuditRecord> = {}): Found => {
  const whole = { ...record, ...members };
  return { worker: 1, record: whole, line: JSON.stringify(whole) };
};
const exported = (format: string, members: Partial<AuditRecord> = {}): Record<string, unknown> =>
  JSON.parse(EXPORT_FORMATS[format].line(found(members))) as Record<string, unknown>;

describe('OCSF', () => {
  // action_id: 1 allowed, 2 denied; disposition_id: 1 allowed, 2 blocked, 6 dropped, 19 alert, 25 rejected, 27 error.
  test.each([
    { verdict: 'allow', action_id: 1, disposition_id: 1, severity_id: 1 },
    { verdict: 'local', action_id: 1, disposition_id: 1, severity_id: 1 },
    { verdict: 'observe', observed: true, action_id: 1, disposition_id: 19, severity_id: 2 },
    { verdict: 'deny', action_id: 2, disposition_id: 2, severity_id: 2 },
    { verdict: 'drop', action_id: 2, disposition_id: 6, severity_id: 2 },
    { verdict: 'refuse', action_id: 2, disposition_id: 25, severity_id: 2 },
    { verdict: 'malformed', action_id: 2, disposition_id: 25, severity_id: 2 },
    { verdict: 'fail', action_id: 0, disposition_id: 27, severity_id: 1 },
  ])('$verdict', ({ verdict, observed, ...expected }) => {
    expect(exported('ocsf', { verdict, ...(observed === true ? { observed } : {}) })).toMatchObject({
      ...expected,
      class_uid: 4003,
      type_uid: 400306,
      metadata: {
        version: '1.3.0',
        profiles: ['security_control'],
        uid: '1-7',
        product: { name: 'Sallyport' },
      },
    });
  });

  test.each([
    { rcode: 'NOERROR', rcode_id: 0, caption: 'NoError' },
    { rcode: 'FORMERR', rcode_id: 1, caption: 'FormError' },
    { rcode: 'SERVFAIL', rcode_id: 2, caption: 'ServError' },
    { rcode: 'NXDOMAIN', rcode_id: 3, caption: 'NXDomain' },
    { rcode: 'REFUSED', rcode_id: 5, caption: 'Refused' },
    { rcode: 'BADVERS', rcode_id: 16, caption: 'BADVERS' },
    { rcode: 'RCODE13', rcode_id: 99, caption: 'RCODE13' },
  ])('$rcode', ({ rcode, rcode_id, caption }) => {
    expect(exported('ocsf', { rcode })).toMatchObject({ rcode_id, rcode: caption });
  });

  test('a query without an answer is a query, and one without a name has no question', () => {
    const { qname: _, qtype: __, ...unreadable } = record;
    const line = EXPORT_FORMATS['ocsf'].line({
      worker: 0,
      record: { ...unreadable, rcode: null, verdict: 'drop' },
      line: '',
    });
    const event = JSON.parse(line) as Record<string, unknown>;
    expect(event).toMatchObject({ activity_id: 1, type_uid: 400301 });
    expect(event).not.toHaveProperty('query');
    expect(event).not.toHaveProperty('rcode_id');
  });

  test.each([
    { client: '192.0.2.7', endpoint: { ip: '192.0.2.7', port: 5353 } },
    { client: '2001:db8::7', endpoint: { ip: '2001:db8::7', port: 5353 } },
    { client: '192.0.2.0/24', endpoint: { name: '192.0.2.0/24', port: 5353 } },
    { client: '2001:db8:1::/56', endpoint: { name: '2001:db8:1::/56', port: 5353 } },
    { client: 'p:a91e07:4f1c', endpoint: { name: 'p:a91e07:4f1c', port: 5353 } },
  ])('the client $client', ({ client, endpoint }) => {
    expect(exported('ocsf', { client })['src_endpoint']).toEqual(endpoint);
  });
});

describe('Route 53', () => {
  test.each([
    { verdict: 'deny', expected: { firewall_rule_action: 'BLOCK', firewall_rule_group_id: 'base/allow/3' } },
    { verdict: 'drop', expected: { firewall_rule_action: 'BLOCK', firewall_rule_group_id: 'base/allow/3' } },
    { verdict: 'observe', observed: true, expected: { firewall_rule_action: 'ALERT' } },
  ])('$verdict is an action of the firewall', ({ verdict, observed, expected }) => {
    expect(exported('route53', { verdict, ...(observed === true ? { observed } : {}) })).toMatchObject(
      expected,
    );
  });

  test.each([
    { verdict: 'allow' },
    { verdict: 'local' },
    { verdict: 'fail' },
    { verdict: 'drop', cause: 'limit' },
  ])('$verdict $cause is none', (members) => {
    const event = exported('route53', members);
    expect(event).not.toHaveProperty('firewall_rule_action');
    expect(event).not.toHaveProperty('firewall_rule_group_id');
    expect(event).toMatchObject({
      version: '1.100000',
      query_timestamp: '2026-11-21T09:10:11Z',
      query_name: 'www.example.com.',
      query_type: 'A',
      query_class: 'IN',
      rcode: 'NOERROR',
      answers: [{ Rdata: '192.0.2.1', Type: 'A', Class: 'IN' }],
      srcaddr: '192.0.2.7',
      srcport: '5353',
      transport: 'UDP',
    });
  });
});

test('CSV: no text is a formula, and each line has as many fields as the head', () => {
  const { head, line } = EXPORT_FORMATS['csv'];
  const columns = head.trim().split(',').length;
  for (const reason of ['=1+1', '+1', '-1', '@SUM(1)', '\tx', '\r=1']) {
    const text = line(found({ reason })).replace(/"(?:[^"]|"")*"/g, 'quoted');
    expect(text.trimEnd().split(',')).toHaveLength(columns);
    expect(line(found({ reason }))).toContain(`'${reason}`);
  }
  expect(
    line(found({ type: 'gap' }))
      .trimEnd()
      .split(',')
      .at(-1),
  ).toBe('gap');
});
