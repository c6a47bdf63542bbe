import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { OrderRequest } from "../events/order-request.ts";
import type { Carried } from "./event-topic.ts";
import { orderRequestTopic, type OrderRequestDeps } from "./order-requests.ts";

const TOPIC = "orders.requested";

const wish = (offset: number, orderId: string, eventId?: string): Carried<OrderRequest> => ({
  offset: String(offset),
  orderId,
  userId: "ann",
  currency: "RUB",
  lines: [{ lineNo: 1, serviceId: "music", quantity: 1, amountMinor: "100" }],
  totalMinor: "100",
  ...(eventId === undefined ? {} : { eventId }),
});

/** A bridge whose claims of an event's id arrive the later, the earlier the order's wish stands. */
function bridgeWithLateClaims(orderIds: readonly string[]) {
  const owners = new Map<string, string>();
  const hashes = new Map<string, string>();
  const started: string[] = [];
  const deps: OrderRequestDeps = {
    starters: {
      async startOrder({ orderId, requestHash }) {
        const alreadyStarted = hashes.has(orderId);
        if (!alreadyStarted) started.push(orderId);
        hashes.set(orderId, hashes.get(orderId) ?? requestHash);
        return { workflowId: `order/${orderId}`, alreadyStarted, outcome: async () => undefined };
      },
      orderRequestHash: async (orderId) => hashes.get(orderId),
    },
    knownRequestHash: async () => undefined,
    async claimIdentity(identity, workflowId) {
      const turns = orderIds.length - orderIds.findIndex((orderId) => workflowId.endsWith(orderId));
      for (let turn = 0; turn < turns * 5; turn += 1) await nextTurn();
      const owner = owners.get(identity) ?? workflowId;
      owners.set(identity, owner);
      return owner;
    },
    knownServices: async (ids) => new Set(ids),
    defaultCurrency: "RUB",
    settings: {},
  };
  return { topic: orderRequestTopic(TOPIC, deps), started };
}

const incarnation = { clusterId: "c", topicId: "t" };
const runOf = (events: readonly Carried<OrderRequest>[]) => ({
  topic: TOPIC,
  partition: 0,
  firstOffset: "0",
  lastOffset: "9",
  events,
  incarnation,
  messages: [],
});

describe("wishes for orders of one partition", () => {
  it("give an event's id to the order that stands first, however late its claim arrives", async () => {
    const { topic, started } = bridgeWithLateClaims(["first", "second"]);
    const run = runOf([wish(0, "first", "e"), wish(1, "second", "e"), wish(2, "first", "e")]);
    const result = await topic.apply(run, new AbortController().signal);
    expect(started).toEqual(["first"]);
    expect(result).toMatchObject({ applied: 1, duplicates: 1, rejected: [{ offset: "1", code: "CONFLICT" }] });
  });

  it("keep their order also where only a third wish joins them", async () => {
    const { topic, started } = bridgeWithLateClaims(["first", "second"]);
    const run = runOf([wish(0, "first", "e"), wish(1, "second", "f"), wish(2, "second", "e"), wish(3, "other")]);
    const result = await topic.apply(run, new AbortController().signal);
    expect(started.filter((orderId) => orderId !== "other")).toEqual(["first", "second"]);
    expect(result).toMatchObject({ applied: 3, rejected: [{ offset: "2", code: "CONFLICT" }] });
  });
});
