import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { brokerList, createKafka, ensureTopics } from "../src/adapters/kafka.ts";
import { createLogger } from "../src/adapters/logger.ts";
import { loadConfig } from "../src/config.ts";
import { topicsOf } from "../src/contract/topics.ts";
import { messageOf } from "../src/errors.ts";
import { createRelay } from "../src/outbox/relay.ts";
import { runRole } from "../src/stack/role.ts";
import { createDatabase } from "../src/store/database.ts";
import { releaseLease, takeLease } from "../src/store/leases.ts";
import { countFailedAttempt, markPublished, readUnpublished } from "../src/store/outbox.ts";
import { required } from "./required.ts";

/** After a kill the next relay waits this long at most. */
const LEASE_TTL_MS = 15_000;
/** 1,000 messages of about 600 bytes stay below the broker's 1 MiB for each of four partitions. */
const BATCH_SIZE = 1_000;
const BACKOFF = { firstMs: 250, maxMs: 10_000 };

await runRole("relay", async ({ signal, ready }) => {
  const config = loadConfig();
  const logger = createLogger({ role: "relay", level: config.LOG_LEVEL, pretty: config.LOG_PRETTY });
  const brokers = brokerList(required(config.KAFKA_BROKERS, "KAFKA_BROKERS"));
  const database = createDatabase({
    url: required(config.DATABASE_URL, "DATABASE_URL"),
    name: "relay",
    laneCount: 2,
    deadlineMs: config.DATABASE_DEADLINE_MS,
  });
  const kafka = createKafka({ brokers, clientId: "saldo-relay", logger });
  const producer = kafka.createProducer();
  const lease = { name: "outbox-relay", holder: `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}` };

  await ensureTopics(brokers, topicsOf(config), logger).catch((error: unknown) =>
    logger.warn({ err: messageOf(error) }, "the topics could not be made yet"),
  );
  const relay = createRelay({
    takeLease: () => takeLease(database.db, { ...lease, ttlMs: LEASE_TTL_MS }),
    renewLeaseMs: LEASE_TTL_MS / 3,
    readUnpublished: (input) => readUnpublished(database.db, input),
    markPublished: (ids) => markPublished(database.db, ids),
    countFailedAttempt: (ids) => countFailedAttempt(database.db, ids),
    send: producer.send,
    batchSize: BATCH_SIZE,
    pollMs: config.OUTBOX_POLL_MS,
    backoff: BACKOFF,
    nowMs: () => performance.now(),
    log: logger,
  });
  ready();
  await relay.run(signal);
  await releaseLease(database.db, lease).catch((error: unknown) =>
    logger.warn({ err: messageOf(error) }, "the lease was not given back; it ends by itself"),
  );
  await producer.close();
  await kafka.close();
  await database.close();
});
