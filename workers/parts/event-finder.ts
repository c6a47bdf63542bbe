import type { EventFinder } from "../../activities/activity-deps.ts";
import { brokerList, createKafka, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import type { Logger } from "../../src/adapters/logger.ts";
import type { Config } from "../../src/config.ts";
import { kafkaSecurity } from "../../src/config/server-variables.ts";
import { createBatchReader } from "../../src/ingest/batch-reader.ts";
import { createEventShelf, type EventShelf } from "../../src/ingest/event-shelf.ts";
import { bindEffects, findRedrives } from "../../src/store/events/redrives.ts";
import type { Db } from "../../src/store/postgres/database.ts";

/** The events of batches whose workflows carry their place alone. */
export interface EventParts {
  /** The events that the bridge of this process has in hand. */
  readonly shelf: EventShelf;
  readonly eventsAt: EventFinder;
  close(): Promise<void>;
}

/** Connects to Kafka with the first batch of another process, and only where KAFKA_BROKERS is set. */
export function openEventParts(config: Config, role: string, { db, logger }: { readonly db: Db; readonly logger: Logger }): EventParts {
  const shelf = createEventShelf();
  const brokers = brokerList(config.KAFKA_BROKERS ?? "");
  let kafka: Kafka | undefined;
  const readRange: Kafka["readRange"] = (range) => {
    kafka ??= createKafka({ brokers, security: kafkaSecurity(config), clientId: `saldo-${role}-batches`, logger });
    return kafka.readRange(range);
  };
  return {
    shelf,
    eventsAt: createBatchReader({
      shelf,
      ...(brokers.length === 0 ? {} : { readRange }),
      redrives: { find: (topic, claims) => findRedrives(db, topic, claims), bind: (wanted) => bindEffects(db, wanted) },
      log: logger,
    }),
    close: async () => kafka?.close(),
  };
}
