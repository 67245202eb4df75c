/** Carries the audit to receivers elsewhere: dnstap, syslog, OTLP, Kafka, ClickHouse. At least once, from the disk. */
export { failureText, type ShipRecord, type Sink } from './contract.ts';
export { openSink } from './open-sink.ts';
export { type Loss, type PumpState, resumedPlaces } from './pump.ts';
export { Shipping, type Trouble } from './shipping.ts';
export { backlogOf, lookAt } from './spool.ts';
