/** Settings of a sink → a connection to its receiver. */
import type { SinkSettings } from '../config/index.ts';
import { openClickHouse } from './clickhouse.ts';
import type { Sink } from './contract.ts';
import { openDnstap } from './dnstap.ts';
import { openKafka } from './kafka.ts';
import { openOtlp } from './otlp.ts';
import { openSyslog } from './syslog.ts';

/** Rejects in words when the receiver cannot be reached, or a file or secret of the settings cannot be read. */
export async function openSink(settings: SinkSettings, version: string): Promise<Sink> {
  switch (settings.type) {
    case 'dnstap':
      return openDnstap(settings, version);
    case 'syslog':
      return openSyslog(settings);
    case 'otlp':
      return openOtlp(settings, version);
    case 'kafka':
      return openKafka(settings);
    case 'clickhouse':
      return openClickHouse(settings);
  }
}
