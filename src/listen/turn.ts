/**
 * The end of a turn of the event loop: everything that was ready has been read by then, from all connections, so the
 * path writes one audit entry block and the sockets get one write each, however few queries each connection sent.
 */

/** So many queries of one read are a batch of their own: waiting for more would gain nothing. */
export const BATCH_ENOUGH = 32;

const due = new Set<() => void>();

function endTurn(): void {
  for (const onBatchEnd of due) {
    due.delete(onBatchEnd);
    onBatchEnd();
  }
}

/** Has `onBatchEnd` called once when this turn ends. */
export function endBatchLater(onBatchEnd: () => void): void {
  if (due.size === 0) setImmediate(endTurn);
  due.add(onBatchEnd);
}
