import type { WatchedGroup } from "../../src/adapters/kafka/kafka-lag.ts";
import type { Config } from "../../src/config.ts";
import { SAGA_COMMANDS_TOPIC, SAGA_REPLIES_TOPIC } from "../../src/contract/topics.ts";
import type { EventTopic } from "../../src/ingest/event-topic.ts";
import { createIngest, type Ingest, type IngestDeps } from "../../src/ingest/ingest.ts";
import { loyaltyTopic, purchaseTopic } from "../../src/ingest/ledger-events.ts";
import { orderRequestTopic } from "../../src/ingest/order-requests.ts";
import { checkCorrection, type Correction } from "../../src/ingest/redrives.ts";
import { sagaCommandTopic, sagaReplyTopic } from "../../src/ingest/saga-topics.ts";
import type { Starters } from "../../src/starters/index.ts";
import { writeDeadLetters } from "../../src/store/events/dead-letters.ts";
import { claimEventIdentity } from "../../src/store/events/event-identities.ts";
import { recordReceipts } from "../../src/store/events/receipts.ts";
import { bindEffects, findLetter, findRedrives } from "../../src/store/events/redrives.ts";
import { findOrderIdentity } from "../../src/store/orders/order-identity.ts";
import { findSagaOrder, refundLatePayment } from "../../src/store/orders/saga-commands.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import { getServices } from "../../src/store/services.ts";

/** A topic that the bridge reads, and what it does with it. */
export interface BridgeTopic {
  readonly topic: string;
  readonly group: string;
  readonly ingest: Ingest;
}

interface TopicDeps {
  readonly db: Db;
  readonly starters: Starters;
}

interface Deps extends TopicDeps {
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

/** The topics of one bridge by its configuration. */
export function bridgeTopics(config: Config, { db, starters, ingestion }: Deps): BridgeTopic[] {
  return eachIncoming(config, { db, starters }, (topic, group) => ({
    topic: topic.topic,
    group,
    ingest: createIngest({
      ...ingestion,
      topic,
      writeDeadLetters: (letters) => writeDeadLetters(db, { deadLetterTopic: topic.deadLetterTopic, letters }),
      redrives: { find: (name, claims) => findRedrives(db, name, claims), bind: (wanted) => bindEffects(db, wanted) },
      recordReceipts: (receipts) => recordReceipts(db, receipts),
    }),
  }));
}

/** Refuses corrected values of dead letters as the bridge would. Of a topic that is not read anything may be sent again. Throws: see `checkCorrection`. */
export function createCorrectionCheck(config: Config, deps: TopicDeps): (correction: Correction) => Promise<void> {
  const found = { findLetter: (topic: string, id: string) => findLetter(deps.db, topic, id), nowMs: () => Date.now() };
  const checks = new Map(
    eachIncoming(config, deps, (topic) => [topic.topic, (correction: Correction) => checkCorrection(correction, topic, found)] as const),
  );
  return async (correction) => checks.get(correction.topic)?.(correction);
}

/** What is made of each topic that comes in, by the configuration: of the two saga topics only that of the side which Saldo is on. */
export function eachIncoming<Made>(
  config: Config,
  { db, starters }: TopicDeps,
  make: <Event extends object>(topic: EventTopic<Event>, group: string) => Made,
): Made[] {
  const orders = orderRequestTopic(config.ORDERS_TOPIC, {
    starters,
    knownRequestHash: async (orderId) => (await findOrderIdentity(db, orderId))?.requestHash,
    claimIdentity: (identity, workflowId) => claimEventIdentity(db, { identity, workflowId }),
    knownServices: async (ids) => new Set((await getServices(db, ids)).map(({ id }) => id)),
    defaultCurrency: config.DEFAULT_CURRENCY,
    settings: orderSettings(config),
  });
  const replies = sagaReplyTopic({
    starters,
    findOrder: (sagaId) => findSagaOrder(db, sagaId),
    refundLate: (payment, paymentId) => refundLatePayment(db, { ...payment, paymentId }),
  });
  return [
    make(purchaseTopic(config.KAFKA_TOPIC, starters), config.KAFKA_GROUP),
    make(loyaltyTopic(config.LOYALTY_TOPIC, starters), config.LOYALTY_GROUP),
    make(orders, config.ORDERS_GROUP),
    ...(config.SAGA_COMMANDS === "execute"
      ? [make(sagaCommandTopic({ starters, defaultCurrency: config.DEFAULT_CURRENCY }), config.SAGA_COMMANDS_GROUP)]
      : []),
    ...(config.ORDER_PAYMENT === "saga-commands" ? [make(replies, config.SAGA_REPLIES_GROUP)] : []),
  ];
}
