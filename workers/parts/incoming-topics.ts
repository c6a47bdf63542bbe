import type { Config } from "../../src/config.ts";
import type { EventShelf } from "../../src/ingest/event-shelf.ts";
import type { EventTopic } from "../../src/ingest/event-topic.ts";
import { loyaltyTopic, purchaseTopic } from "../../src/ingest/ledger-events.ts";
import { orderRequestTopic } from "../../src/ingest/order-requests.ts";
import { sagaCommandTopic, sagaReplyTopic } from "../../src/ingest/saga-topics.ts";
import type { Starters } from "../../src/starters/index.ts";
import { claimEventIdentity } from "../../src/store/events/event-identities.ts";
import { findOrderIdentity } from "../../src/store/orders/order-identity.ts";
import { findSagaOrder, refundLatePayment } from "../../src/store/orders/saga-commands.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import { getServices } from "../../src/store/services.ts";
import { incomingGroups } from "./incoming-groups.ts";
import { orderSettings } from "./order-settings.ts";

export interface TopicDeps {
  readonly db: Db;
  readonly starters: Starters;
  /** Where the events of the ledger's batches stay, when this process runs workflows itself. */
  readonly shelf?: EventShelf;
}

/** Calls `make` for each topic that Saldo reads by the configuration, with how its messages are read and take effect, and its consumer group. */
export function eachIncoming<Made>(
  config: Config,
  { db, starters, shelf }: TopicDeps,
  make: <Event extends object>(topic: EventTopic<Event>, group: string) => Made,
): Made[] {
  const { DEFAULT_CURRENCY: defaultCurrency } = config;
  const ledgerEvents = { starters, ...(shelf === undefined ? {} : { shelf }) };
  return incomingGroups(config).map(({ kind, topic, group }) => {
    switch (kind) {
      case "purchases":
        return make(purchaseTopic(topic, ledgerEvents), group);
      case "loyalty":
        return make(loyaltyTopic(topic, ledgerEvents), group);
      case "orders": {
        const orders = orderRequestTopic(topic, {
          starters,
          knownRequestHash: async (orderId) => (await findOrderIdentity(db, orderId))?.requestHash,
          claimIdentity: (identity, workflowId) => claimEventIdentity(db, { identity, workflowId }),
          knownServices: async (ids) => new Set((await getServices(db, ids)).map(({ id }) => id)),
          defaultCurrency,
          settings: orderSettings(config),
        });
        return make(orders, group);
      }
      case "saga-commands":
        return make(sagaCommandTopic({ starters, defaultCurrency }, topic), group);
      case "saga-replies": {
        const replies = sagaReplyTopic(
          {
            starters,
            findOrder: (sagaId) => findSagaOrder(db, sagaId),
            refundLate: (payment, paymentId) => refundLatePayment(db, { ...payment, paymentId }),
          },
          topic,
        );
        return make(replies, group);
      }
    }
  });
}
