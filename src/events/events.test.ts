import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { loyaltyEventJsonSchema, readLoyaltyEvent } from "./loyalty-event.ts";
import { orderRequestJsonSchema, readOrderRequest } from "./order-request.ts";
import { readSagaCommand, readSagaReply, sagaCommandJsonSchema, sagaReplyJsonSchema } from "./saga-messages.ts";

const SENT_AT_MS = Date.parse("2026-03-01T00:00:00Z");
const bytes = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value));

const points = { transaction_id: "t-1", user_id: "ann", type: "accrual", amount: 150, occurred_at: "2026-02-28T12:00:00+03:00" };
const order = {
  order_id: "o-1",
  user_id: "ann",
  items: [
    { service_id: "music", amount: "10.50" },
    { service_id: "delivery", amount: 2, quantity: 2 },
  ],
  currency: "USD",
  payment_method: "wallet",
};
const command = { saga_id: "s-1", command: "CHARGE", order_id: "o-1", user_id: "ann", amount: "12.50", currency: "USD" };
const reply = { saga_id: "s-1", status: "FAILED", payment_id: null, error: "no funds" };

describe("a loyalty transaction", () => {
  const read = (value: unknown) => readLoyaltyEvent(bytes(value), SENT_AT_MS);

  it("is read with whole points and its moment in UTC", () => {
    expect(read({ ...points, comment: "spring", further: [1] })).toEqual({
      ok: true,
      event: {
        eventId: "t-1",
        userId: "ann",
        type: "accrual",
        amountMinor: 150n,
        currency: "PTS",
        occurredAt: "2026-02-28T09:00:00.000Z",
        comment: "spring",
      },
    });
    expect(read({ ...points, type: "redemption", amount: "7" })).toMatchObject({ ok: true, event: { amountMinor: 7n } });
  });

  it.each([
    ["no identity", { transaction_id: undefined }, "INVALID_EVENT"],
    ["a part of a point", { amount: "1.5" }, "INVALID_AMOUNT"],
    ["no points", { amount: 0 }, "INVALID_AMOUNT"],
    ["fewer than no points", { amount: -5 }, "INVALID_AMOUNT"],
    ["more points than there can be", { amount: "1e30" }, "INVALID_AMOUNT"],
    ["another type", { type: "transfer" }, "INVALID_EVENT"],
    ["no moment", { occurred_at: "yesterday" }, "INVALID_EVENT"],
    ["a moment to come", { occurred_at: "2027-01-01T00:00:00Z" }, "INVALID_EVENT"],
    ["another version", { schema_version: 2 }, "INVALID_EVENT"],
  ])("is refused with %s", (_why, change, code) => {
    expect(read({ ...points, ...change })).toMatchObject({ ok: false, code });
  });
});

describe("a wish for an order", () => {
  const read = (value: unknown) => readOrderRequest(bytes(value), SENT_AT_MS, "RUB");

  it("is read with its lines and their sum in minor units", () => {
    expect(read(order)).toEqual({
      ok: true,
      event: {
        orderId: "o-1",
        userId: "ann",
        currency: "USD",
        lines: [
          { lineNo: 1, serviceId: "music", quantity: 1, amountMinor: "1050" },
          { lineNo: 2, serviceId: "delivery", quantity: 2, amountMinor: "200" },
        ],
        totalMinor: "1250",
      },
    });
    expect(read({ ...order, currency: undefined })).toMatchObject({ ok: true, event: { currency: "RUB" } });
  });

  it.each([
    ["no items", { items: [] }, "INVALID_EVENT"],
    ["a line of nothing", { items: [{ service_id: "music", amount: "0" }] }, "INVALID_AMOUNT"],
    ["an amount that is a list", { items: [{ service_id: "music", amount: [1] }] }, "INVALID_AMOUNT"],
    [
      "a sum beyond all bounds",
      { items: Array.from({ length: 100 }, () => ({ service_id: "m", amount: "9999999999.99" })) },
      "INVALID_AMOUNT",
    ],
    ["a quantity of none", { items: [{ service_id: "music", amount: "1", quantity: 0 }] }, "INVALID_EVENT"],
    ["a card", { payment_method: "card" }, "INVALID_EVENT"],
    ["an id that holds a path", { order_id: "a/../b" }, "INVALID_EVENT"],
    ["an unknown currency", { currency: "XYZ" }, "INVALID_CURRENCY"],
  ])("is refused with %s", (_why, change, code) => {
    expect(read({ ...order, ...change })).toMatchObject({ ok: false, code });
  });

  it("names the line whose amount is wrong, and never the amount", () => {
    const reading = read({ ...order, items: [order.items[0], { service_id: "music", amount: "7.777" }] });
    expect(reading).toMatchObject({ ok: false, code: "INVALID_AMOUNT" });
    expect(JSON.stringify(reading)).toMatch(/items\.1\.amount/);
    expect(JSON.stringify(reading)).not.toContain("7.777");
  });
});

describe("a saga's messages", () => {
  it("are read, the reply without a command as one to the CHARGE", () => {
    expect(readSagaCommand(bytes(command), SENT_AT_MS, "RUB")).toEqual({
      ok: true,
      event: { sagaId: "s-1", command: "CHARGE", orderId: "o-1", userId: "ann", amountMinor: "1250", currency: "USD" },
    });
    expect(readSagaReply(bytes(reply), SENT_AT_MS)).toEqual({
      ok: true,
      event: { sagaId: "s-1", status: "FAILED", command: undefined, error: "no funds" },
    });
  });

  it("are refused with another command or status", () => {
    expect(readSagaCommand(bytes({ ...command, command: "charge" }), SENT_AT_MS, "RUB")).toMatchObject({
      ok: false,
      code: "INVALID_EVENT",
    });
    expect(readSagaReply(bytes({ ...reply, status: "OK" }), SENT_AT_MS)).toMatchObject({ ok: false, code: "INVALID_EVENT" });
  });
});

describe("the JSON Schemas of what comes in", () => {
  it.each([
    ["loyalty-transaction", loyaltyEventJsonSchema, points, { user_id: undefined }],
    ["order-request", orderRequestJsonSchema, order, { items: "music" }],
    ["saga-command", sagaCommandJsonSchema, command, { command: "PAY" }],
    ["saga-reply", sagaReplyJsonSchema, reply, { status: 5 }],
  ])("stand in the documentation as they are now, and take what the service takes: %s", async (name, schemaOf, valid, broken) => {
    await expect(`${JSON.stringify(schemaOf(), undefined, 2)}\n`).toMatchFileSnapshot(`../../docs/events/${name}.schema.json`);
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schemaOf());
    expect(validate(valid)).toBe(true);
    expect(validate({ ...valid, ...broken })).toBe(false);
  });
});
