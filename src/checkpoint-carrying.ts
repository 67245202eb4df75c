/** Checkpoints on their way out, as the control thread runs them: with words for the log and numbers for the scraper. */
import { CheckpointCarriers } from './checkpoints/index.ts';
import type { Settings } from './config/index.ts';
import type { Log } from './control/index.ts';
import type { Family } from './metrics/index.ts';

export function carryCheckpoints({ audit }: Settings, log: Log): CheckpointCarriers {
  return new CheckpointCarriers(audit.checkpoints, ({ kind, where }, why) => {
    if (why === null) log.info({ kind, where }, 'checkpoints of the audit arrive again');
    else
      log.error({ kind, where, why }, 'checkpoints of the audit do not arrive; the newest are tried again');
  });
}

export function checkpointFamilies(carriers: CheckpointCarriers): Family[] {
  const family = (
    name: string,
    type: 'counter' | 'gauge',
    help: string,
    key: 'sent' | 'failures' | 'superseded' | 'waiting',
  ): Family => ({
    name,
    type,
    help,
    samples: () =>
      carriers.states.map((state) => ({
        labels: { kind: state.kind, place: state.where },
        value: state[key],
      })),
  });
  return [
    family(
      'audit_checkpoints_sent_total',
      'counter',
      'Checkpoints that arrived at a place of audit.checkpoints.',
      'sent',
    ),
    family(
      'audit_checkpoints_failures_total',
      'counter',
      'Deliveries of checkpoints that failed.',
      'failures',
    ),
    family(
      'audit_checkpoints_superseded_total',
      'counter',
      'Checkpoints that a newer one of the same worker took the place of before they were sent.',
      'superseded',
    ),
    family('audit_checkpoints_waiting', 'gauge', 'Checkpoints that wait to be sent.', 'waiting'),
  ];
}
