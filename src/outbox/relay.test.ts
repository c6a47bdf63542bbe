import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { until } from "../../test/support/until.ts";
import type { OutgoingMessage } from "../adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../adapters/log.ts";
import type { OutboxRow } from "../store/outbox/outbox.ts";
import { createRelay, type RelayDeps } from "./relay.ts";

const row = (id: number, topic = "dlq.t", value = Buffer.from(String(id))): OutboxRow => ({
  id: String(id),
  aggregateType: "dead_letter",
  aggregateId: "1",
  topic,
  messageKey: null,
  operation: null,
  payload: null,
  rawKey: null,
  rawValue: value,
  headers: {},
  attempts: 0,
});

function bench(
  initial: readonly OutboxRow[],
  send: (topic: string, values: readonly string[]) => Promise<void>,
  change: Partial<RelayDeps> = {},
) {
  let nowMs = 0;
  let rows = [...initial];
  const failed: string[] = [];
  const deps: RelayDeps = {
    takeLease: async () => true,
    renewLeaseMs: 5_000,
    readUnpublished: async ({ limitPerTopic, withoutTopics, withoutIds }) => {
      const sendable = rows.filter(({ id, topic }) => !withoutTopics.includes(topic) && !withoutIds.includes(id));
      const topics = [...new Set(sendable.map(({ topic }) => topic))];
      return topics.flatMap((wanted) => sendable.filter(({ topic }) => topic === wanted).slice(0, limitPerTopic));
    },
    markPublished: async (ids) => {
      rows = rows.filter(({ id }) => !ids.includes(id));
    },
    countFailedAttempt: async (ids) => void failed.push(...ids),
    send: (topic: string, messages: readonly OutgoingMessage[]) =>
      send(
        topic,
        messages.map(({ value }) => String(value)),
      ),
    batchSize: 10,
    pollMs: 1,
    backoff: { firstMs: 100, maxMs: 1_000 },
    nowMs: () => nowMs,
    log: SILENT_LOG,
    ...change,
  };
  return {
    relay: createRelay(deps),
    add: (one: OutboxRow) => void rows.push(one),
    left: () => rows.map(({ id }) => id),
    failed,
    later: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe("the relay", () => {
  it("publishes in the order of the rows and marks what was acknowledged", async () => {
    const sent: string[] = [];
    const { relay, left } = bench([row(1), row(2), row(3)], async (_topic, values) => void sent.push(...values));
    expect(await relay.step()).toBe(3);
    expect(sent).toEqual(["1", "2", "3"]);
    expect(left()).toEqual([]);
  });

  it("marks nothing that was not acknowledged, and lets no failing topic hold up another", async () => {
    const sent: string[] = [];
    const { relay, left, failed, later } = bench([row(1, "gone"), row(2, "fine"), row(3, "gone")], async (topic, values) => {
      if (topic === "gone") throw new Error("no such topic");
      sent.push(...values);
    });
    await relay.step();
    expect(sent).toEqual(["2"]);
    expect(left()).toEqual(["1", "3"]);
    expect(failed).toEqual(["1", "3"]);
    expect(await relay.step()).toBe(0);
    later(101);
    expect(await relay.step()).toBe(2);
  });

  it("publishes each topic's rows in the same step, however many of another topic stand before them", async () => {
    const sent: string[] = [];
    const many = Array.from({ length: 1_000 }, (_, place) => row(place + 1, "notifications"));
    const { relay } = bench([...many, row(1_001, "saga.commands"), row(1_002, "orders.events")], async (topic, values) => {
      sent.push(`${topic} ${values.length}`);
    });
    await relay.step();
    expect(sent.toSorted()).toEqual(["notifications 10", "orders.events 1", "saga.commands 1"]);
  });

  it("goes on with the backlog of a topic that takes long as soon as its batch is done, and not at the next poll", async () => {
    const sent: string[] = [];
    const many = Array.from({ length: 30 }, (_, place) => row(place + 1, "slow"));
    const stop = new AbortController();
    const { relay, left } = bench(
      many,
      async (_topic, values) => {
        await sleep(700);
        sent.push(...values);
      },
      { pollMs: 60_000, wake: { fallAsleep: async () => {}, wakeUp: async () => {} } },
    );
    const running = relay.run(stop.signal);
    await until("the backlog is sent", () => left().length === 0);
    stop.abort();
    await running;
    expect(sent).toEqual(many.map(({ id }) => id));
  });

  it("does not wait for a topic that takes long, sends nothing to it meanwhile, and keeps its order", async () => {
    const sent: string[] = [];
    let letGo = () => {};
    const slow = new Promise<void>((resolve) => (letGo = resolve));
    const { relay, add, left } = bench([row(1, "slow"), row(2, "fine")], async (topic, values) => {
      if (topic === "slow") await slow;
      sent.push(...values);
    });
    await relay.step();
    expect(sent).toEqual(["2"]);
    add(row(3, "slow"));
    add(row(4, "fine"));
    await relay.step();
    expect(sent).toEqual(["2", "4"]);
    letGo();
    await until("the slow topic is done", () => sent.includes("1"));
    await until("the slow topic's next row is sent", async () => {
      await relay.step();
      return sent.includes("3");
    });
    expect(sent).toEqual(["2", "4", "1", "3"]);
    expect(left()).toEqual([]);
  });

  it("sends no more at once than the broker takes in one record batch", async () => {
    const sizes: number[] = [];
    const big = Buffer.alloc(300_000, "x");
    const { relay, left } = bench(
      [row(1, "t", big), row(2, "t", big), row(3, "t", big), row(4, "t", big)],
      async (_topic, values) => void sizes.push(values.length),
    );
    await relay.step();
    expect(sizes).toEqual([2, 2]);
    expect(left()).toEqual([]);
  });

  it("passes over a row that is no message", async () => {
    const sent: string[] = [];
    const broken: OutboxRow = { ...row(1), aggregateType: "unheard-of", payload: {} };
    const { relay, left } = bench([broken, row(2)], async (_topic, values) => void sent.push(...values));
    await relay.step();
    expect(sent).toEqual(["2"]);
    expect(left()).toEqual(["1"]);
  });

  it("sets aside a message that is larger than the broker takes, and goes on with the others of its topic", async () => {
    const sent: string[] = [];
    const big = Buffer.alloc(900_000, "x");
    const { relay, left } = bench([row(1, "t", big), row(2)], async (_topic, values) => {
      if (values.some((value) => value.length > 800_000)) throw Object.assign(new Error("too large"), { type: "MESSAGE_TOO_LARGE" });
      sent.push(...values);
    });
    await relay.step();
    expect(sent).toEqual(["2"]);
    expect(left()).toEqual(["1"]);
    expect(await relay.step()).toBe(0);
  });

  it("is held up by no number of messages that are larger than their topic takes, in no topic", async () => {
    const sent: string[] = [];
    const big = Buffer.alloc(900_000, "x");
    const many = Array.from({ length: 100 }, (_, place) => row(place + 1, "t", big));
    const { relay, left } = bench([...many, row(101, "t"), row(102, "u"), row(103, "u")], async (_topic, values) => {
      if (values.some((value) => value.length > 800_000)) throw Object.assign(new Error("too large"), { type: "MESSAGE_TOO_LARGE" });
      sent.push(...values);
    });
    await relay.step();
    expect(sent).toEqual(["102", "103"]);
    while ((await relay.step()) > 0);
    expect(sent).toEqual(["102", "103", "101"]);
    expect(left()).toHaveLength(100);
  });

  it("finds the messages that are too large among others, and sends the others in their order", async () => {
    const sent: string[] = [];
    const large = Buffer.alloc(2_000, "x");
    const { relay, left } = bench(
      [row(1), row(2), row(3, "dlq.t", large), row(4), row(5), row(6, "dlq.t", large), row(7)],
      async (_topic, values) => {
        if (values.join("").length > 1_000) throw Object.assign(new Error("too large"), { type: "MESSAGE_TOO_LARGE" });
        sent.push(...values);
      },
    );
    await relay.step();
    expect(sent).toEqual(["1", "2", "4", "5", "7"]);
    expect(left()).toEqual(["3", "6"]);
  });

  it.each(["onPublished", "markPublished"] as const)("does not send again what Kafka has when %s fails after it", async (failing) => {
    const sent: string[] = [];
    const done: string[] = [];
    let failures = 3;
    const { relay, add } = bench([row(1), row(2)], async (_topic, values) => void sent.push(...values), {
      onPublished: async () => {
        if (failing === "onPublished" && failures-- > 0) throw new Error("too slow");
      },
      markPublished: async (ids) => {
        if (failing === "markPublished" && failures-- > 0) throw new Error("too slow");
        done.push(...ids);
      },
    });
    for (const _ of [1, 2]) await expect(relay.step()).rejects.toThrow("too slow");
    add(row(3));
    await expect(relay.step()).rejects.toThrow("too slow");
    await relay.step();
    expect(sent).toEqual(["1", "2", "3"]);
    expect(done).toEqual(["1", "2", "3"]);
  });

  it("tells of an event before it is marked, so that a kill in between tells it again", async () => {
    const told: string[] = [];
    const order: OutboxRow = {
      ...row(7, "orders.events"),
      aggregateType: "order",
      rawValue: null,
      payload: {
        orderId: "o",
        userId: "u",
        sagaState: "COMPLETED",
        status: "CONFIRMED",
        version: "3",
        amountMinor: "100",
        currency: "RUB",
        recordedAt: "2026-11-21T09:00:00Z",
      },
    };
    let isMarked = true;
    const { relay } = bench([order, row(8, "orders.events")], async () => {}, {
      onPublished: async (events) => void told.push(...events.map(({ id, type }) => `${id} ${type}`)),
      markPublished: async () => {
        if (!isMarked) return;
        isMarked = false;
        throw new Error("killed here");
      },
    });
    await expect(relay.step()).rejects.toThrow("killed here");
    await relay.step();
    expect(told).toEqual(["outbox/7 saldo.order.completed", "outbox/7 saldo.order.completed"]);
  });

  it("sleeps until a row comes, not until its poll", async () => {
    const sent: string[] = [];
    let asleep = 0;
    const { relay, add } = bench([], async (_topic, values) => void sent.push(...values), {
      pollMs: 60_000,
      gatherMs: 1,
      wake: { fallAsleep: async () => void (asleep += 1), wakeUp: async () => {} },
    });
    const stop = new AbortController();
    const running = relay.run(stop.signal);
    await until("it sleeps", () => asleep === 1);
    add(row(1));
    await until("it is woken", () => {
      relay.wakeUp();
      return sent.length === 1;
    });
    stop.abort();
    await running;
  });

  it("says once that it sleeps, and asks once for its lease, while it polls again and again", async () => {
    let [said, looks, leases] = [0, 0, 0];
    const { relay } = bench([], async () => {}, {
      takeLease: async () => {
        leases += 1;
        return true;
      },
      readUnpublished: async () => {
        looks += 1;
        return [];
      },
      wake: { fallAsleep: async () => void (said += 1), wakeUp: async () => {} },
    });
    const stop = new AbortController();
    const running = relay.run(stop.signal);
    await until("it polled often", () => looks > 20);
    stop.abort();
    await running;
    expect({ said, leases }).toEqual({ said: 1, leases: 1 });
  });

  it("is woken by a row that comes while it looks a last time, and not at its poll", async () => {
    const sent: string[] = [];
    let isLastLook = false;
    const made: { wakeUp?: () => void } = {};
    const rows: OutboxRow[] = [];
    const { relay } = bench([], async (_topic, values) => void sent.push(...values), {
      pollMs: 60_000,
      gatherMs: 1,
      readUnpublished: async () => {
        const found = [...rows];
        if (isLastLook) {
          isLastLook = false;
          rows.push(row(1));
          made.wakeUp?.();
        }
        return found;
      },
      markPublished: async () => void rows.splice(0),
      wake: { fallAsleep: async () => void (isLastLook = sent.length === 0), wakeUp: async () => {} },
    });
    made.wakeUp = relay.wakeUp;
    const stop = new AbortController();
    const running = relay.run(stop.signal);
    await until("the row is sent", () => sent.length === 1);
    stop.abort();
    await running;
  });

  it("looks once more after it said that it sleeps, so that a row written just before waits for no poll", async () => {
    const sent: string[] = [];
    const { relay, add } = bench([], async (_topic, values) => void sent.push(...values), {
      pollMs: 60_000,
      gatherMs: 1,
      wake: { fallAsleep: async () => (sent.length === 0 ? add(row(1)) : undefined), wakeUp: async () => {} },
    });
    const stop = new AbortController();
    const running = relay.run(stop.signal);
    await until("the row is sent", () => sent.length === 1);
    stop.abort();
    await running;
  });
});
