/** DNS messages as octets: header, name, question, record, EDNS, code points. Imports nothing but itself. */
export * from './codes.ts';
export * from './edns.ts';
export * from './header.ts';
export * from './name.ts';
export * from './octets.ts';
export * from './proxy-header.ts';
export * from './question.ts';
export * from './rdata-octets.ts';
export * from './rdata-text.ts';
export * from './record.ts';
export * from './tsig.ts';
