import { describe, expect, it } from "vitest";
import { momentSchema } from "../api/http/moment-schema.ts";
import { createDateReader } from "../cli/import/csv-date.ts";
import { readLoyaltyEvent } from "../events/loyalty-event.ts";
import { INSTANT_WORDS, instantMs } from "./instant.ts";

const readCsvDate = createDateReader("Europe/Moscow");
const readEvent = (text: string) => {
  const event = { transaction_id: "t", user_id: "u", type: "accrual", amount: 1, occurred_at: text };
  return readLoyaltyEvent(Buffer.from(JSON.stringify(event)), Date.UTC(2026, 11, 1));
};

describe("a time is read alike from a file, from Kafka and from an address", () => {
  it.each([
    ["2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000Z"],
    ["2026-11-21t10:00:00z", "2026-11-21T10:00:00.000Z"],
    ["2026-11-21 10:00:00Z", "2026-11-21T10:00:00.000Z"],
    ["2026-11-21 10:00:00.5+03:00", "2026-11-21T07:00:00.500Z"],
    ["2026-11-21T10:00Z", "2026-11-21T10:00:00.000Z"],
    ["2026-11-21t00:30:00.123-05:30", "2026-11-21T06:00:00.123Z"],
  ])("%s", (text, utc) => {
    expect(readCsvDate(text)).toBe(utc);
    expect(readEvent(text)).toMatchObject({ ok: true, event: { occurredAt: utc } });
    expect(momentSchema.parse(text)).toBe(utc);
  });

  it.each([
    "2026-11-21T10:00:00",
    "2026-11-21 10:00:00 03:00",
    "2026-11-21_10:00:00Z",
    "2026-11-21  10:00:00Z",
    "2026-02-30T10:00:00Z",
    "2026-11-21T24:00:00Z",
    "2026-11-21T10:60:00Z",
    "2026-11-21T10:00:00+24:00",
    "2026-11-21T10:00:00+0300",
    "21.11.2026",
    "1763719200",
    "now",
    "",
  ])("%s is none, and what it must be is said", (text) => {
    expect(instantMs(text)).toBeUndefined();
    expect(readCsvDate(text)).toBeUndefined();
    expect(readEvent(text)).toMatchObject({ ok: false, code: "INVALID_EVENT", reason: `occurred_at: ${INSTANT_WORDS}` });
    expect(momentSchema.safeParse(text).error?.issues.map(({ message }) => message)).toContain(INSTANT_WORDS);
  });

  it("and in an address with the digits that Postgres keeps, whatever stands between day and hour", () => {
    expect(momentSchema.parse("2026-11-21 10:00:00.1234567z")).toBe("2026-11-21T10:00:00.123456Z");
  });
});
