import { describe, expect, it } from "vitest";
import { exactWholeNumber } from "../base/raw-json.ts";
import { readLoyaltyEvent } from "./loyalty-event.ts";
import { readOrderRequest } from "./order-request.ts";
import { readPurchaseEvent } from "./purchase-event.ts";
import { readSagaCommand, readSagaReply } from "./saga-messages.ts";

const SENT_AT_MS = Date.parse("2026-03-01T00:00:00Z");
const WHEN = "2026-02-28T12:00:00Z";

/** Each number field of each kind of event, with the event's text where the field's value is `raw`. */
const FIELDS: readonly [string, (raw: string) => { readonly ok: boolean; readonly code?: string; readonly reason?: string }][] = [
  ...["user_id", "event_id", "service_id", "order_id"].map((field): (typeof FIELDS)[number] => [
    `a purchase's ${field}`,
    (raw) => {
      const rest = `"amount":"1","currency":"USD","payment_method":"card","transaction_date":"${WHEN}"`;
      return readPurchaseEvent(Buffer.from(`{${field === "user_id" ? "" : '"user_id":"u",'}"${field}":${raw},${rest}}`), SENT_AT_MS);
    },
  ]),
  ...["user_id", "transaction_id"].map((field): (typeof FIELDS)[number] => [
    `a loyalty transaction's ${field}`,
    (raw) => {
      const other = field === "user_id" ? "transaction_id" : "user_id";
      const text = `{"${field}":${raw},"${other}":"x","type":"accrual","amount":1,"occurred_at":"${WHEN}"}`;
      return readLoyaltyEvent(Buffer.from(text), SENT_AT_MS);
    },
  ]),
  [
    "a line's service_id",
    (raw) =>
      readOrderRequest(Buffer.from(`{"order_id":"o","user_id":"u","items":[{"service_id":${raw},"amount":"1"}]}`), SENT_AT_MS, "USD"),
  ],
  [
    "a command's saga_id",
    (raw) =>
      readSagaCommand(Buffer.from(`{"saga_id":${raw},"command":"CHARGE","order_id":"o","user_id":"u","amount":"1"}`), SENT_AT_MS, "USD"),
  ],
  ["a reply's payment_id", (raw) => readSagaReply(Buffer.from(`{"saga_id":"s","status":"SUCCEEDED","payment_id":${raw}}`), SENT_AT_MS)],
];

const quantityOf = (raw: string) =>
  readOrderRequest(
    Buffer.from(`{"order_id":"o","user_id":"u","items":[{"service_id":"m","amount":"1","quantity":${raw}}]}`),
    SENT_AT_MS,
    "USD",
  );

describe("a number of an event is what its digits say", () => {
  // A float makes the first the id of 9007199254740991, the second that of 7, the third that of 100.
  describe.each(["9007199254740990.9", "7.00000000000000000001", "1e2", "7.0", "-0", "9007199254740992", "1e-400"])(
    "%s is no id",
    (raw) => {
      it.each(FIELDS)("of %s", (_field, read) => {
        expect(read(raw)).toMatchObject({ ok: false, code: "INVALID_EVENT", reason: expect.stringContaining("is no id") as unknown });
      });
    },
  );

  it.each(FIELDS)("whole digits are the id of %s", (_field, read) => {
    expect(read("9007199254740991")).toMatchObject({ ok: true });
    expect(read("0")).toMatchObject({ ok: true });
  });

  it("also where it counts: a quantity and a version are whole digits", () => {
    expect(quantityOf("2")).toMatchObject({ ok: true, event: { lines: [{ quantity: 2 }] } });
    for (const raw of ["2.00000000000000000001", "2e0", "1000000.00000000001", "0.99999999999999999999"])
      expect(quantityOf(raw)).toMatchObject({ ok: false, reason: "items.0.quantity: must be a whole number from 1 to 1000000, in digits" });
    const version = (raw: string) => readSagaReply(Buffer.from(`{"saga_id":"s","status":"SUCCEEDED","schema_version":${raw}}`), SENT_AT_MS);
    expect(version("1")).toMatchObject({ ok: true });
    expect(version("1.00000000000000000001")).toMatchObject({ ok: false, reason: "schema_version: must be 1" });
  });

  it("is exact or none", () => {
    expect(["0", "7", "9007199254740991"].map(exactWholeNumber)).toEqual([0, 7, Number.MAX_SAFE_INTEGER]);
    expect(["", "07", "+7", "-7", "7.0", "7e0", " 7", "9007199254740992", "1".repeat(400)].map(exactWholeNumber)).toEqual(
      Array.from({ length: 9 }, () => undefined),
    );
  });
});
