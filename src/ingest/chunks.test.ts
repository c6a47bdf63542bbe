import { describe, expect, it } from "vitest";
import type { FetchedMessage, MessageHeaders } from "../adapters/kafka/kafka-message.ts";
import { chunksOf as cut, type ChunkLimits } from "./chunks.ts";
import { purchaseTopic } from "./ledger-events.ts";
import { correlationIdOf, readableHeaders } from "./message-headers.ts";
import type { PlacedBatch } from "./redrives.ts";

const message = (offset: number, change: Readonly<Record<string, unknown>> | string = {}, headers: MessageHeaders = {}): FetchedMessage => {
  const event = { user_id: "ann", amount: "1.00", currency: "USD", payment_method: "card", transaction_date: "2024-01-01T00:00:00Z" };
  const text = typeof change === "string" ? change : JSON.stringify({ ...event, ...change });
  return { offset: String(offset), key: null, value: Buffer.from(text), headers, headersLeftOut: 0, timestampMs: -1 };
};
const { read } = purchaseTopic("t", { starters: { runEventBatch: () => Promise.reject(new Error("not asked for")) } });
const chunksOf = (of: PlacedBatch, limits: ChunkLimits) => cut(of, limits, read);
const batch = (messages: readonly FetchedMessage[], nextOffset: string): PlacedBatch => ({
  topic: "t",
  partition: 3,
  messages,
  nextOffset,
  incarnation: { clusterId: "c", topicId: "i" },
});

describe("chunks of a batch", () => {
  it("cover every offset once, in order, and the last one goes to the end of the batch", () => {
    const messages = [10, 11, 13, 14, 20].map((offset) => message(offset));
    const chunks = [...chunksOf(batch(messages, "23"), { maxMessages: 2, maxBytes: 100_000 })];
    expect(chunks.map(({ firstOffset, lastOffset, nextOffset }) => [firstOffset, lastOffset, nextOffset])).toEqual([
      ["10", "11", "13"],
      ["13", "14", "20"],
      ["20", "20", "23"],
    ]);
  });

  it("stay below the bound of a workflow's input", () => {
    const messages = Array.from({ length: 100 }, (_, offset) => message(offset, { user_id: "ü".repeat(60) }));
    const chunks = [...chunksOf(batch(messages, "100"), { maxMessages: 1_000, maxBytes: 5_000 })];
    for (const { events } of chunks) expect(Buffer.byteLength(JSON.stringify(events))).toBeLessThanOrEqual(5_001);
    expect(chunks.flatMap(({ events }) => events)).toHaveLength(100);
  });

  it("keep valid events and dead letters apart, and know a dead letter by the event's own id where that can be read", () => {
    const [chunk] = chunksOf(batch([message(1), message(2, "no json"), message(3, { amount: "0", event_id: "e-1" })], "4"), {
      maxMessages: 10,
      maxBytes: 10_000,
    });
    expect(chunk?.events.map(({ offset }) => offset)).toEqual(["1"]);
    expect(chunk?.letters.map(({ identity, code }) => [identity, code])).toEqual([
      ["event:t@3:2", "MALFORMED_JSON"],
      ["event:t#e-1", "INVALID_AMOUNT"],
    ]);
  });

  it("keep a valid event with too many headers as a dead letter that counts them", () => {
    const crowded = { ...message(1, { event_id: "e-1" }, { first: Buffer.from("kept") }), headersLeftOut: 9_999 };
    const [chunk] = chunksOf(batch([crowded], "2"), { maxMessages: 10, maxBytes: 10_000 });
    expect(chunk?.events).toEqual([]);
    expect(chunk?.letters).toMatchObject([
      { identity: "event:t#e-1", code: "INVALID_EVENT", headers: { first: "kept", "headers-left-out": "9999" } },
    ]);
  });

  it("carry no card number in words: the message is a dead letter whose words hold none", () => {
    const [chunk] = chunksOf(batch([message(1, { event_id: "e-1", payment_method: "４１１１-1111-1111-1111" })], "2"), {
      maxMessages: 10,
      maxBytes: 10_000,
    });
    expect(chunk?.events).toEqual([]);
    expect(chunk?.letters).toMatchObject([
      { identity: "event:t#e-1", code: "CARD_DATA_REFUSED", reason: "payment_method: holds what looks like a card number" },
    ]);
  });

  it.each(["4111111111111111", "pay_4539578763621486", "order-4539 5787 6362 1486"])("carry the id %s, whatever it passes for", (id) => {
    const ids = { user_id: id, order_id: id, service_id: id, event_id: id };
    const [chunk] = chunksOf(batch([message(1, ids)], "2"), { maxMessages: 10, maxBytes: 10_000 });
    expect(chunk?.events).toMatchObject([{ userId: id, orderId: id, serviceId: id, eventId: id }]);
  });

  it("carry no field of the event that is not known", () => {
    const [chunk] = chunksOf(batch([message(1, { card_number: "4111111111111111", billing_address: "Main Street" })], "2"), {
      maxMessages: 10,
      maxBytes: 10_000,
    });
    expect(JSON.stringify(chunk?.events)).not.toMatch(/4111|Main/);
  });
});

describe("headers of a message", () => {
  it("become text that can be stored, with repeated names and bytes that are no text", () => {
    expect(
      readableHeaders({
        plain: Buffer.from("ü"),
        twice: [Buffer.from("a"), Buffer.from("b")],
        bytes: Buffer.from([0xff]),
        nul: Buffer.from("a\0b"),
        none: undefined,
      }),
    ).toEqual({
      plain: "ü",
      twice: "a",
      "twice#2": "b",
      bytes: "base64:/w==",
      nul: "base64:YQBi",
      none: "",
    });
  });

  it("are bounded, and what is left out is counted", () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, place) => [`h${place}`, Buffer.from("x")]));
    const kept = readableHeaders(many);
    expect(Object.keys(kept)).toHaveLength(65);
    expect(kept["headers-left-out"]).toBe(String(10_000 - 64));
  });

  it("hand on a correlation id when it is one", () => {
    expect(correlationIdOf({ "correlation-id": Buffer.from("req-1") })).toBe("req-1");
    for (const wrong of ["", "two words", "x".repeat(129), "line\nbreak"])
      expect(correlationIdOf({ "correlation-id": Buffer.from(wrong) })).toBeUndefined();
    expect(correlationIdOf({})).toBeUndefined();
  });

  it("with a card number as correlation id are without one", () => {
    expect(correlationIdOf({ "correlation-id": Buffer.from("4111-1111-1111-1111") })).toBeUndefined();
  });

  it("hand on the trace they belong to when they have no correlation id", () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = Buffer.from(`00-${trace}-b7ad6b7169203331-01`);
    expect(correlationIdOf({ traceparent })).toBe(trace);
    expect(correlationIdOf({ traceparent, "correlation-id": Buffer.from("req-1") })).toBe("req-1");
    for (const wrong of [
      `ff-${trace}-b7ad6b7169203331-01`,
      `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
      `00-${trace}-${"0".repeat(16)}-01`,
      trace,
    ])
      expect(correlationIdOf({ traceparent: Buffer.from(wrong) })).toBeUndefined();
  });
});
