import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createRelay, type RelayDeps } from "../../src/outbox/relay.ts";
import { countFailedAttempt, markPublished, readUnpublished } from "../../src/store/outbox/outbox.ts";
import type { Db } from "../../src/store/postgres/database.ts";

/** Publishes what the outbox holds until nothing of it is left; of `topic` alone where it is given. */
export async function relayOutbox(db: Db, options: Pick<RelayDeps, "send" | "onPublished"> & { readonly topic?: string }): Promise<void> {
  const { topic, ...publishing } = options;
  const relay = createRelay({
    takeLease: async () => true,
    renewLeaseMs: 1_000,
    readUnpublished: async (input) => (await readUnpublished(db, input)).filter((row) => topic === undefined || row.topic === topic),
    markPublished: (ids) => markPublished(db, ids),
    countFailedAttempt: (ids) => countFailedAttempt(db, ids),
    batchSize: 100,
    pollMs: 10,
    backoff: { firstMs: 10, maxMs: 10 },
    nowMs: () => performance.now(),
    log: SILENT_LOG,
    ...publishing,
  });
  while ((await relay.step()) > 0);
}
