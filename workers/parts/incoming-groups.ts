import type { WatchedGroup } from "../../src/adapters/kafka/kafka-lag.ts";
import type { Config } from "../../src/config.ts";
import { SAGA_COMMANDS_TOPIC, SAGA_REPLIES_TOPIC } from "../../src/contract/topics.ts";

/** A topic that Saldo reads, with the consumer group that reads it and the kind of its events. */
export interface IncomingGroup extends WatchedGroup {
  readonly kind: "purchases" | "loyalty" | "orders" | "saga-commands" | "saga-replies";
}

/** The topics that Saldo reads by the configuration. Of the two saga topics it reads only those of the sides that it is on. */
export function incomingGroups(config: Config): IncomingGroup[] {
  return [
    { kind: "purchases", topic: config.KAFKA_TOPIC, group: config.KAFKA_GROUP },
    { kind: "loyalty", topic: config.LOYALTY_TOPIC, group: config.LOYALTY_GROUP },
    { kind: "orders", topic: config.ORDERS_TOPIC, group: config.ORDERS_GROUP },
    ...(config.SAGA_COMMANDS === "execute"
      ? [{ kind: "saga-commands", topic: SAGA_COMMANDS_TOPIC, group: config.SAGA_COMMANDS_GROUP } as const]
      : []),
    ...(config.ORDER_PAYMENT === "saga-commands"
      ? [{ kind: "saga-replies", topic: SAGA_REPLIES_TOPIC, group: config.SAGA_REPLIES_GROUP } as const]
      : []),
  ];
}
