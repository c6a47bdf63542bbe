import { describe, expect, it } from "vitest";
import { readLoyaltyEvent } from "../../events/loyalty-event.ts";
import { readOrderRequest } from "../../events/order-request.ts";
import { readPurchaseEvent } from "../../events/purchase-event.ts";
import { readSagaCommand } from "../../events/saga-messages.ts";
import { loadEvent, type LoadKind, type LoadOptions } from "./event-load.ts";

const options = (kind: LoadKind): LoadOptions => ({
  kind,
  users: 10,
  seed: 7,
  currency: "RUB",
  services: ["music", "delivery"],
  occurredAt: "2026-01-01T00:00:00Z",
});

describe("the events of a steady load", () => {
  it.each<[LoadKind, (value: Buffer) => { ok: boolean }]>([
    ["purchase", (value) => readPurchaseEvent(value, -1)],
    ["loyalty", (value) => readLoyaltyEvent(value, -1)],
    ["order", (value) => readOrderRequest(value, -1, "RUB")],
    ["saga-command", (value) => readSagaCommand(value, -1, "RUB")],
  ])("are valid, each another one, and the same again for the same seed: %s", (kind, read) => {
    const events = Array.from({ length: 500 }, (_, number) => loadEvent(options(kind), number));
    for (const { value } of events) expect(read(Buffer.from(String(value)))).toMatchObject({ ok: true });
    expect(new Set(events.map(({ value }) => value)).size).toBe(500);
    expect(events[3]).toEqual(loadEvent(options(kind), 3));
    expect(events[3]).not.toEqual(loadEvent({ ...options(kind), seed: 8 }, 3));
  });

  it("are of all users", () => {
    const users = Array.from({ length: 500 }, (_, number) => loadEvent(options("purchase"), number).key);
    expect(new Set(users).size).toBe(10);
  });
});
