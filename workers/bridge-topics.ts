import type { WatchedGroup } from "../src/adapters/kafka-lag.ts";
import type { Config } from "../src/config.ts";
import { SAGA_COMMANDS_TOPIC, SAGA_REPLIES_TOPIC } from "../src/contract/topics.ts";
import type { EventTopic } from "../src/ingest/event-topic.ts";
import { createIngest, type Ingest, type IngestDeps } from "../src/ingest/ingest.ts";
import { loyaltyTopic, purchaseTopic } from "../src/ingest/ledger-events.ts";
import { orderRequestTopic } from "../src/ingest/order-requests.ts";
import { sagaCommandTopic, sagaReplyTopic } from "../src/ingest/saga-topics.ts";
import { formatAmount } from "../src/money.ts";
import type { Starters } from "../src/starters.ts";
import type { Db } from "../src/store/database.ts";
import { writeDeadLetters } from "../src/store/dead-letters.ts";
import { findOrderIdentity } from "../src/store/order-identity.ts";
import { refundLatePayment } from "../src/store/saga-outbox.ts";
import { recordReceipts } from "../src/store/receipts.ts";
import { findRedrives } from "../src/store/redrives.ts";
import { getServices } from "../src/store/services.ts";

/** A topic that the bridge reads, and what it does with it. */
export interface BridgeTopic {
  readonly topic: string;
  readonly group: string;
  readonly ingest: Ingest;
}

interface Deps {
  readonly db: Db;
  readonly starters: Starters;
  readonly ingestion: Pick<IngestDeps<object>, "limits" | "backoff" | "log">;
}

/** What every order is started with, over HTTP and over Kafka. */
export function orderSettings(config: Config) {
  return {
    paymentDeadlineMs: config.ORDER_PAYMENT_DEADLINE_MS,
    compensationFastRetries: config.COMPENSATION_FAST_RETRIES,
    ...(config.ORDER_PAYMENT === "saga-commands" ? { paidBy: "saga-commands" as const } : {}),
  };
}

/** Which group reads which topic, by the configuration. */
export function incomingGroups(config: Config): WatchedGroup[] {
  return [
    { topic: config.KAFKA_TOPIC, group: config.KAFKA_GROUP },
    { topic: config.LOYALTY_TOPIC, group: config.LOYALTY_GROUP },
    { topic: config.ORDERS_TOPIC, group: config.ORDERS_GROUP },
    ...(config.SAGA_COMMANDS === "execute" ? [{ topic: SAGA_COMMANDS_TOPIC, group: config.SAGA_COMMANDS_GROUP }] : []),
    ...(config.ORDER_PAYMENT === "saga-commands" ? [{ topic: SAGA_REPLIES_TOPIC, group: config.SAGA_REPLIES_GROUP }] : []),
  ];
}

/** The topics of one bridge by its configuration: of the two saga topics only that of the side which Saldo is on. */
export function bridgeTopics(config: Config, { db, starters, ingestion }: Deps): BridgeTopic[] {
  const of = <Event extends object>(topic: EventTopic<Event>, group: string): BridgeTopic => ({
    topic: topic.topic,
    group,
    ingest: createIngest({
      ...ingestion,
      topic,
      writeDeadLetters: (letters) => writeDeadLetters(db, { deadLetterTopic: topic.deadLetterTopic, letters }),
      findRedrives: (name, claims) => findRedrives(db, name, claims),
      recordReceipts: (receipts) => recordReceipts(db, receipts),
    }),
  });
  const orders = orderRequestTopic(config.ORDERS_TOPIC, {
    starters,
    knownRequestHash: async (orderId) => (await findOrderIdentity(db, orderId))?.requestHash,
    knownServices: async (ids) => new Set((await getServices(db, ids)).map(({ id }) => id)),
    defaultCurrency: config.DEFAULT_CURRENCY,
    settings: orderSettings(config),
  });
  const replies = sagaReplyTopic({
    starters,
    findOrder: async (sagaId) => {
      const order = await findOrderIdentity(db, sagaId);
      return order === undefined ? undefined : { isUndone: order.sagaState === "COMPENSATING" || order.sagaState === "FAILED" };
    },
    refundLate: async (sagaId, paymentId) => {
      const order = await findOrderIdentity(db, sagaId);
      if (order === undefined) return false;
      return refundLatePayment(db, { ...order, amount: formatAmount(order.amountMinor, order.currency), paymentId });
    },
  });
  return [
    of(purchaseTopic(config.KAFKA_TOPIC, starters), config.KAFKA_GROUP),
    of(loyaltyTopic(config.LOYALTY_TOPIC, starters), config.LOYALTY_GROUP),
    of(orders, config.ORDERS_GROUP),
    ...(config.SAGA_COMMANDS === "execute"
      ? [of(sagaCommandTopic({ starters, defaultCurrency: config.DEFAULT_CURRENCY }), config.SAGA_COMMANDS_GROUP)]
      : []),
    ...(config.ORDER_PAYMENT === "saga-commands" ? [of(replies, config.SAGA_REPLIES_GROUP)] : []),
  ];
}
