import { setTimeout as sleep } from "node:timers/promises";
import { PartitionAssigners, type Consumer, type Kafka as KafkaClient } from "kafkajs";
import type { Log } from "../log.ts";

interface OpenOptions {
  readonly group: string;
  readonly sessionTimeoutMs: number;
  readonly graceMs: number;
}

const RETRY = { retries: 8, initialRetryTime: 200, maxRetryTime: 3_000 };
/**
 * An idle fetch waits this long at the broker, and no heartbeat is sent meanwhile; the first message ends the wait. It is also how long a member
 * may take to notice that it must stop or that its group has changed.
 */
const MAX_IDLE_FETCH_MS = 1_000;
/** Two of the client's default of 1 MB each: enough for several chunks, little to fetch again after a kill. */
const MAX_BYTES_PER_PARTITION = 1_048_576;

/** A consumer of the client's own that is not connected yet. */
export function openConsumer(client: KafkaClient, options: OpenOptions, heartbeatMs: number): Consumer {
  return client.consumer({
    groupId: options.group,
    partitionAssigners: [PartitionAssigners.roundRobin],
    sessionTimeout: options.sessionTimeoutMs,
    rebalanceTimeout: Math.max(options.sessionTimeoutMs, options.graceMs * 2),
    heartbeatInterval: heartbeatMs,
    maxWaitTimeInMs: Math.min(MAX_IDLE_FETCH_MS, heartbeatMs),
    maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
    allowAutoTopicCreation: false,
    retry: { ...RETRY, restartOnFailure: async () => true },
  });
}

/** Connects and subscribes. A broker that is not there yet is waited for, until the signal aborts: the process has nothing else to do. */
export async function connectPatiently(consumer: Consumer, topic: string, signal: AbortSignal, logger: Log): Promise<void> {
  for (let pauseMs = 500; !signal.aborted; pauseMs = Math.min(pauseMs * 2, 5_000)) {
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      return;
    } catch (error) {
      logger.warn({ err: error, topic, pauseMs }, "Kafka is not reachable, trying again");
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}
