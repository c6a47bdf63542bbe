import type { ClientRecord } from "./kafka-records.ts";

/** A transaction that was aborted, as the broker names those that touch a fetch, in any order. */
export interface AbortedTransaction {
  readonly producerId: string;
  readonly firstOffset: string;
}

const ABORT = 0;

/**
 * Marks the records of aborted transactions as control records, which are handed to nobody. Only then nothing is left to do for
 * kafkajs/src/consumer/filterAbortedMessages.js: it steps into one transaction a record where several begin, takes the broker's list for
 * sorted, and any record with a key of four zero bytes for the end of its producer's transaction. Same rule as Java's
 * `CompletedFetch.nextFetchedRecord`: a producer is in an aborted transaction from its first offset up to its abort marker.
 */
export function markAborted(records: readonly ClientRecord[], aborted: readonly AbortedTransaction[]): void {
  const toCome = aborted
    .map(({ producerId, firstOffset }) => ({ producerId, firstOffset: BigInt(firstOffset) }))
    .toSorted((one, other) => (one.firstOffset < other.firstOffset ? -1 : 1));
  const producers = new Set<string>();
  let next = 0;
  for (const record of records) {
    const offset = BigInt(record.offset);
    for (let begun = toCome[next]; begun !== undefined && begun.firstOffset <= offset; begun = toCome[next]) {
      producers.add(begun.producerId);
      next += 1;
    }
    const { batchContext } = record;
    if (batchContext === undefined || !producers.has(batchContext.producerId)) continue;
    if (isAbortMarker(record)) producers.delete(batchContext.producerId);
    else if (batchContext.inTransaction) record.isControlRecord = true;
  }
}

// The key of a control record is its version and its type, two bytes each.
function isAbortMarker({ isControlRecord, key }: ClientRecord): boolean {
  return isControlRecord && key !== null && key.length >= 4 && key.readInt16BE(2) === ABORT;
}
