import { describe, expect, it } from "vitest";
import type { FetchedMessage } from "../adapters/kafka/kafka-message.ts";
import type { MessageRange } from "../adapters/kafka/kafka-range.ts";
import { SILENT_LOG } from "../adapters/log.ts";
import type { EventBatchPlace } from "../contract/events.ts";
import { placeOfRun } from "./batch-places.ts";
import { createBatchReader } from "./batch-reader.ts";
import { chunksOf } from "./chunks.ts";
import { createEventShelf } from "./event-shelf.ts";
import { LEDGER_EVENT_READERS } from "./ledger-events.ts";

const incarnation = { clusterId: "c", topicId: "t" };
const message = (offset: number, change: Readonly<Record<string, unknown>> | string = {}): FetchedMessage => {
  const event = { user_id: "ann", amount: "1.00", currency: "USD", payment_method: "card", transaction_date: "2024-01-01T00:00:00Z" };
  const text = typeof change === "string" ? change : JSON.stringify({ ...event, ...change });
  return { offset: String(offset), key: null, value: Buffer.from(text), headers: {}, headersLeftOut: 0, timestampMs: -1 };
};
/** Four messages of which one is no event, with a gap where a control record stands. */
const MESSAGES = [message(5), message(6, "no json"), message(8, { event_id: "e-1" }), message(9)];

const chunkOf = (messages: readonly FetchedMessage[]) => {
  const batch = { topic: "t~2", partition: 3, messages, nextOffset: "10", incarnation };
  const [chunk] = chunksOf(batch, { maxMessages: 100 }, LEDGER_EVENT_READERS.purchase);
  if (chunk === undefined) throw new Error("there is no chunk");
  return { topic: "t~2", partition: 3, incarnation, ...chunk };
};
const RUN = chunkOf(MESSAGES);
const PLACE: EventBatchPlace = placeOfRun("purchase", RUN);

function readerOf(kafka: (range: MessageRange) => Promise<readonly FetchedMessage[] | "removed">) {
  const asked: MessageRange[] = [];
  const shelf = createEventShelf();
  const read = createBatchReader({
    shelf,
    readRange: async (range) => {
      asked.push(range);
      return kafka(range);
    },
    redrives: { find: async () => new Map(), bind: async () => new Map() },
    log: SILENT_LOG,
  });
  return { read, shelf, asked };
}

describe("the events of a batch that is named by its place", () => {
  it("are those beside this process while it has the batch in hand, without a question to Kafka", async () => {
    const { read, shelf, asked } = readerOf(async () => MESSAGES);
    const batch = { ...PLACE, events: RUN.events } as never;
    const takeAway = shelf.put(PLACE, batch);
    expect(await read(PLACE)).toBe(batch);
    expect(asked).toEqual([]);
    takeAway();
    await read(PLACE);
    expect(asked).toHaveLength(1);
  });

  it("are read from Kafka again by a process that does not have them, and are the same", async () => {
    const { read, asked } = readerOf(async () => MESSAGES);
    const { kind, topic, partition, firstOffset, lastOffset } = PLACE;
    expect(await read(PLACE)).toEqual({ kind, topic, partition, firstOffset, lastOffset, events: RUN.events });
    expect(asked).toEqual([{ topic: "t", incarnation, partition, firstOffset: "5", lastOffset: "9" }]);
    expect(PLACE.count).toBe(3);
  });

  it.each([
    ["the topic is another one now", async () => "removed" as const],
    ["the first of them is gone", async () => MESSAGES.slice(1)],
    ["the last of them is gone", async () => MESSAGES.slice(0, -1)],
    ["all are gone", async () => []],
  ])("are EVENTS_REMOVED where %s, and none is handed out", async (_case, kafka) => {
    await expect(readerOf(kafka).read(PLACE)).rejects.toMatchObject({ code: "EVENTS_REMOVED" });
  });

  it.each([
    ["a message in between is missing", [MESSAGES[0], MESSAGES[1], MESSAGES[3]]],
    ["a value is another one", MESSAGES.with(2, message(8, { event_id: "e-1", amount: "2.00" }))],
    ["one stands at another offset", MESSAGES.with(2, message(7, { event_id: "e-1" }))],
  ])("are EVENTS_CHANGED where %s, and none is handed out", async (_case, messages) => {
    await expect(readerOf(async () => messages as FetchedMessage[]).read(PLACE)).rejects.toMatchObject({ code: "EVENTS_CHANGED" });
  });

  it("are EVENTS_CHANGED where the same messages are read as another number of events", async () => {
    await expect(readerOf(async () => MESSAGES).read({ ...PLACE, count: 4 })).rejects.toMatchObject({ code: "EVENTS_CHANGED" });
  });

  it("are UNAVAILABLE in a process without Kafka: another process may have it", async () => {
    const read = createBatchReader({
      shelf: createEventShelf(),
      redrives: { find: async () => new Map(), bind: async () => new Map() },
      log: SILENT_LOG,
    });
    await expect(read(PLACE)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
