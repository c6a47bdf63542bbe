import { createKafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import type { Config } from "../../src/config.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { createStarters } from "../../src/starters/index.ts";
import { BRIDGE_LIMITS, bridgeLimits } from "../../workers/parts/bridge-limits.ts";
import { bridgeTopics } from "../../workers/parts/bridge-topics.ts";
import { openRoleParts } from "../../workers/parts/role-parts.ts";

export interface BenchBridge {
  /** Reads a topic in a group of its own, as the bridge reads purchases, until it is stopped. */
  read(topic: string): { joined(): boolean; failure(): Error | undefined; stop(): Promise<void> };
  close(): Promise<void>;
}

/** The bridge's own parts in this process: its consumer, its ingestion, its starters and its worker. One per process. */
export async function openBenchBridge(config: Config, brokers: readonly string[]): Promise<BenchBridge> {
  const { partitionsAtOnce, graceMs, backoff } = BRIDGE_LIMITS;
  const parts = await openRoleParts(config, "bench-bridge");
  const workers = await parts.startWorkers([TASK_QUEUES.orders]);
  const starters = createStarters({ client: parts.temporal.client, eager: true, deadlineMs: config.TEMPORAL_DEADLINE_MS });
  return {
    read(topic) {
      const kafka = createKafka({ brokers, clientId: "bench-bridge", logger: SILENT_LOG });
      const [purchases] = bridgeTopics(
        { ...config, KAFKA_TOPIC: topic, KAFKA_GROUP: topic },
        {
          db: parts.database.db,
          starters,
          shelf: parts.shelf,
          ingestion: { limits: bridgeLimits(config), backoff, log: SILENT_LOG },
        },
      );
      if (purchases === undefined) throw new Error("the bridge reads nothing");
      const sessionTimeoutMs = config.KAFKA_SESSION_TIMEOUT_MS;
      const consumer = kafka.createConsumer({ topic, group: topic, sessionTimeoutMs, partitionsAtOnce, graceMs });
      let failure: Error | undefined;
      const fail = (error: Error) => void (failure = error);
      consumer.run(purchases.ingest.handle, fail).catch(fail);
      return {
        joined: () => consumer.assigned() !== undefined,
        failure: () => failure,
        async stop() {
          await consumer.stop();
          await kafka.close();
        },
      };
    },
    async close() {
      await workers.stop();
      await parts.close();
    },
  };
}
