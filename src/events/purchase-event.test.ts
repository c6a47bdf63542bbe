import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { purchaseEventJsonSchema, readPurchaseEvent } from "./purchase-event.ts";

const valid = {
  user_id: "u-1",
  username: "Ann",
  amount: "100.50",
  currency: "USD",
  payment_method: "credit_card",
  transaction_date: "2024-03-01T00:30:00+03:00",
};
const SENT_AT_MS = Date.UTC(2024, 2, 2);
const read = (value: unknown) => readPurchaseEvent(Buffer.from(typeof value === "string" ? value : JSON.stringify(value)), SENT_AT_MS);

describe("a purchase event", () => {
  it("is read with its amount in minor units and its date in UTC", () => {
    expect(read(valid)).toEqual({
      ok: true,
      event: {
        userId: "u-1",
        username: "Ann",
        amountMinor: 10_050n,
        currency: "USD",
        paymentMethod: "credit_card",
        occurredAt: "2024-02-29T21:30:00.000Z",
      },
    });
  });

  it.each([
    ["a long name, of which 255 characters are kept", "😀".repeat(300), "😀".repeat(255)],
    ["a name on two lines", "Ann\r\nIvanova\t", "Ann Ivanova"],
    ["an empty name", "", undefined],
    ["a name of blanks", " \n ", undefined],
    ["no name", null, undefined],
  ])("is never refused for the name of its user: %s", (_what, username, kept) => {
    const reading = read({ ...valid, username });
    expect(reading).toMatchObject({ ok: true });
    expect(reading.ok ? reading.event.username : "").toBe(kept);
  });

  it("may give its amount as a JSON number, which is read as it is written", () => {
    const text = (amount: string) => JSON.stringify(valid).replace('"100.50"', amount);
    expect(read(text("100.10"))).toMatchObject({ ok: true, event: { amountMinor: 10_010n } });
    expect(read(text("9007199254.99"))).toMatchObject({ ok: true, event: { amountMinor: 900_719_925_499n } });
    expect(read(text("0.30000000000000004"))).toMatchObject({ ok: false, code: "INVALID_AMOUNT" });
    expect(read(text("1e2"))).toMatchObject({ ok: false, code: "INVALID_AMOUNT" });
  });

  it("takes whole numbers as ids, but none that a JSON number cannot hold", () => {
    expect(read({ ...valid, user_id: 7, order_id: 8 })).toMatchObject({ ok: true, event: { userId: "7", orderId: "8" } });
    expect(read(JSON.stringify(valid).replace('"u-1"', "9007199254740993"))).toMatchObject({ ok: false, code: "INVALID_EVENT" });
    expect(read({ ...valid, user_id: 1.5 })).toMatchObject({ ok: false, code: "INVALID_EVENT" });
  });

  it("tolerates fields it does not know and never hands them on", () => {
    const reading = read({ ...valid, card_number: "4111111111111111", note: { deep: [1, 2] } });
    expect(JSON.stringify(reading, (_name, value: unknown) => (typeof value === "bigint" ? value.toString() : value))).not.toContain(
      "4111",
    );
    expect(reading).toMatchObject({ ok: true });
  });

  it.each([
    ["a negative amount", { amount: "-1.00" }, "INVALID_AMOUNT"],
    ["an amount of nothing", { amount: "0.00" }, "INVALID_AMOUNT"],
    ["more decimals than the currency has", { amount: "1.005" }, "INVALID_AMOUNT"],
    ["an amount beyond all bounds", { amount: "99999999999999" }, "INVALID_AMOUNT"],
    ["a currency that is not known", { currency: "XYZ" }, "INVALID_CURRENCY"],
    ["no user", { user_id: "" }, "INVALID_EVENT"],
    ["a user with NUL", { user_id: "a\0b" }, "INVALID_EVENT"],
    ["a user whose id no address can name", { user_id: ".." }, "INVALID_EVENT"],
    ["a service whose id has a line break", { service_id: "a\nb" }, "INVALID_EVENT"],
    ["an order whose id holds a path", { order_id: "a/../b" }, "INVALID_EVENT"],
    ["a wallet in capitals", { payment_method: "Wallet" }, "INVALID_EVENT"],
    ["a wallet with a space", { payment_method: " wallet" }, "INVALID_EVENT"],
    ["a wallet with a character that is not seen", { payment_method: "wal\u200blet" }, "INVALID_EVENT"],
    ["a user that is too long", { user_id: "x".repeat(256) }, "INVALID_EVENT"],
    ["a day that the calendar does not have", { transaction_date: "2024-02-30T00:00:00Z" }, "INVALID_EVENT"],
    ["a clock that was never set", { transaction_date: "1970-01-01T00:00:00Z" }, "INVALID_EVENT"],
    ["a date long after it was sent", { transaction_date: "2100-01-01T00:00:00Z" }, "INVALID_EVENT"],
    ["another version of the schema", { schema_version: 2 }, "INVALID_EVENT"],
  ])("is refused with %s", (_why, change, code) => {
    expect(read({ ...valid, ...change })).toMatchObject({ ok: false, code });
  });

  it("counts an id's characters as HTTP does, and takes other methods as they are written", () => {
    expect(read({ ...valid, user_id: "\u{1F600}".repeat(64), payment_method: "Wallet-card" })).toMatchObject({
      ok: true,
      event: { paymentMethod: "Wallet-card" },
    });
    expect(read({ ...valid, payment_method: "wallet" })).toMatchObject({ ok: true, event: { paymentMethod: "wallet" } });
  });

  it("names every field that failed and shows no value of any", () => {
    const reading = read({ ...valid, payment_method: null, transaction_date: "secret-date", username: 5 });
    expect(reading).toMatchObject({ ok: false, code: "INVALID_EVENT" });
    if (reading.ok) throw new Error("it was taken");
    for (const field of ["payment_method", "transaction_date", "username"]) expect(reading.reason).toContain(field);
    expect(reading.reason).not.toContain("secret-date");
  });

  it("tells the event's own id also when the rest is refused", () => {
    expect(read({ ...valid, event_id: "e-1", amount: "0" })).toMatchObject({ ok: false, eventId: "e-1" });
  });

  it.each([
    ["no value", null, "INVALID_EVENT"],
    ["an empty value", Buffer.alloc(0), "INVALID_EVENT"],
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), "MALFORMED_JSON"],
    ["text that is not JSON", Buffer.from("{user_id:1}"), "MALFORMED_JSON"],
    ["a list", Buffer.from("[]"), "INVALID_EVENT"],
    ["a number", Buffer.from("5"), "INVALID_EVENT"],
    ["null", Buffer.from("null"), "INVALID_EVENT"],
    ["more than 64 KiB", Buffer.alloc(70_000, "a"), "PAYLOAD_TOO_LARGE"],
    ["deep nesting", Buffer.from("[".repeat(30_000)), "INVALID_EVENT"],
  ])("is refused and never thrown for %s", (_why, value, code) => {
    expect(readPurchaseEvent(value, SENT_AT_MS)).toMatchObject({ ok: false, code });
  });
});

describe("the JSON Schema of a purchase", () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(purchaseEventJsonSchema());

  it("stands in the documentation as it is now (vitest -u writes it)", async () => {
    await expect(`${JSON.stringify(purchaseEventJsonSchema(), undefined, 2)}\n`).toMatchFileSnapshot(
      "../../docs/events/purchase.schema.json",
    );
  });

  it("takes what the service takes and refuses what it refuses", () => {
    expect(validate(valid)).toBe(true);
    expect(validate({ ...valid, amount: 100.5, user_id: 5, further: true })).toBe(true);
    expect(validate({ ...valid, user_id: undefined })).toBe(false);
    expect(validate({ ...valid, amount: true })).toBe(false);
  });
});
