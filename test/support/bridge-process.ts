import { MockActivityEnvironment } from "@temporalio/testing";
import { createEventActivities } from "../../activities/events.ts";
import { createKafka } from "../../src/adapters/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createIngest } from "../../src/ingest/ingest.ts";
import { purchaseTopic } from "../../src/ingest/ledger-events.ts";
import { createDatabase } from "../../src/store/database.ts";
import { writeDeadLetters } from "../../src/store/dead-letters.ts";
import { recordReceipts } from "../../src/store/receipts.ts";
import { findRedrives } from "../../src/store/redrives.ts";
import { createLedger } from "../../src/store/ledger.ts";

/** What a bridge in a process of its own is started with, as JSON. */
export interface BridgeProcessInput {
  readonly brokers: readonly string[];
  readonly databaseUrl: string;
  readonly topic: string;
  readonly group: string;
  readonly sessionTimeoutMs: number;
  readonly batchSize: number;
}

// The bridge as it is, but without Temporal: it runs the workflow's activity itself. It ends with its parent, at the latest.
const input = JSON.parse(process.argv[2] ?? "") as BridgeProcessInput;
const database = createDatabase({ url: input.databaseUrl, name: "torture", laneCount: 1, deadlineMs: 10_000 });
const ledger = createLedger({ url: input.databaseUrl, name: "torture", laneCount: 2, deadlineMs: 10_000 });
const { applyEvents } = createEventActivities({ ledger, db: database.db });
const kafka = createKafka({ brokers: input.brokers, clientId: `torture-${process.pid}`, logger: SILENT_LOG });
const consumer = kafka.createConsumer({ ...input, partitionsAtOnce: 4, graceMs: 4_000 });
const ingest = createIngest({
  topic: purchaseTopic(input.topic, { runEventBatch: (batch) => new MockActivityEnvironment().run(applyEvents, batch) }),
  writeDeadLetters: (letters) => writeDeadLetters(database.db, { deadLetterTopic: `dlq.${input.topic}`, letters }),
  findRedrives: (name, claims) => findRedrives(database.db, name, claims),
  recordReceipts: (receipts) => recordReceipts(database.db, receipts),
  limits: { maxMessages: input.batchSize, maxBytes: 240_000 },
  backoff: { firstMs: 50, maxMs: 1_000 },
  log: SILENT_LOG,
});

const stop = async () => {
  await consumer.stop();
  await Promise.all([kafka.close(), ledger.close(), database.close()]);
  process.exit(0);
};
process.once("SIGTERM", () => void stop());
process.once("disconnect", () => process.exit(1));
await consumer.run(ingest.handle, () => process.exit(2));
process.send?.("running");
