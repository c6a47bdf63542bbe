import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkEventCsv } from "./check-event-csv.ts";
import { CsvFileError, type BadRow } from "./csv-rows.ts";
import { readEventCsv, type EventCsvOptions } from "./event-csv.ts";
import { rowEventId } from "./row-chain.ts";

const ROW_ID = expect.stringMatching(/^import\/shop\/[0-9a-f]{32}$/) as unknown;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saldo-csv-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function readText(text: string | Buffer, change: Partial<EventCsvOptions> = {}) {
  const path = join(folder, "file.csv");
  await writeFile(path, text);
  const badRows: BadRow[] = [];
  const events: { line: number; key: string; event: Record<string, unknown> }[] = [];
  for await (const { line, key, json } of readEventCsv({
    path,
    kind: "purchase",
    source: "shop",
    currency: "RUB",
    timeZone: "Europe/Moscow",
    onBadRow: (row) => badRows.push(row),
    ...change,
  })) {
    events.push({ line, key, event: JSON.parse(json) as Record<string, unknown> });
  }
  return { events, badRows };
}

describe("a CSV file of purchases", () => {
  it("becomes events: a date is that day in the zone, the currency stands in the header, the row names the event", async () => {
    const { events, badRows } = await readText(
      "customer_id,date,quantity,amount_usd\n00001,1997-01-01,1,11.77\n00002,1997-07-12,5,77.00\n",
    );
    expect(badRows).toEqual([]);
    expect(events).toEqual([
      {
        line: 2,
        key: "00001",
        event: {
          event_id: ROW_ID,
          user_id: "00001",
          username: "00001",
          amount: "11.77",
          currency: "USD",
          payment_method: "credit_card",
          transaction_date: "1996-12-31T21:00:00.000Z",
        },
      },
      // Summer time.
      {
        line: 3,
        key: "00002",
        event: expect.objectContaining({ event_id: ROW_ID, transaction_date: "1997-07-11T20:00:00.000Z" }) as unknown,
      },
    ]);
  });

  it("takes the optional columns, quoted fields, a byte order mark and other line ends", async () => {
    const { events } = await readText(
      '\uFEFFUser_Id,transaction_date,amount,event_id,service,order_id,payment_method,username\r\n"a,b",2024-02-29T10:00:00+01:00,5,e-1,s-1,o-1,wallet,"An ""n"""\r\n',
    );
    expect(events[0]?.event).toEqual({
      event_id: "e-1",
      user_id: "a,b",
      username: 'An "n"',
      amount: "5",
      currency: "RUB",
      payment_method: "wallet",
      transaction_date: "2024-02-29T09:00:00.000Z",
      service_id: "s-1",
      order_id: "o-1",
    });
  });

  it("takes the currency that a row's own column says, and calls one that it does not know no purchase", async () => {
    const { events, badRows } = await readText(
      "user_id,date,amount,currency\nann,2024-01-01,1,USD\nben,2024-01-01,1,eur\ncid,2024-01-01,1,\ndan,2024-01-01,1,XXQ\n",
    );
    expect(events.map(({ key, event }) => [key, event["currency"]])).toEqual([
      ["ann", "USD"],
      ["ben", "EUR"],
      ["cid", "RUB"],
    ]);
    expect(badRows).toEqual([{ line: 5, reason: "the currency XXQ is not known" }]);
  });

  it("refuses a row whose currency is not that of its amount's column, and takes that for one without", async () => {
    const { events, badRows } = await readText("user_id,date,amount_usd,currency\nann,2024-01-01,1,EUR\nben,2024-01-01,1,\n");
    expect(events.map(({ key, event }) => [key, event["currency"]])).toEqual([["ben", "USD"]]);
    expect(badRows).toEqual([{ line: 2, reason: "the row says EUR, but its amount stands in a column of USD" }]);
  });

  it("names the columns that nothing is read of", async () => {
    await readText("user_id,date,amount,colour,currency\nann,2024-01-01,1,red,USD\n");
    expect(await checkEventCsv(join(folder, "file.csv"), "purchase")).toEqual({ rows: 1, unreadColumns: ["colour"] });
  });

  it("reports rows that are no purchases by their line, and the rest goes on", async () => {
    const { events, badRows } = await readText(
      "user_id,date,amount\n,2024-01-01,1\nann,2024-02-30,1\nann,2024-01-01\nann,soon,1\nann,2024-01-01,0.00\nann,2024-01-01,much\n",
    );
    expect(badRows.map(({ line }) => line)).toEqual([2, 3, 4, 5]);
    expect(events.map(({ line }) => line)).toEqual([6, 7]);
  });

  it.each([
    ["CRLF first and LF after it", "user_id,date,amount\r\nann,2024-01-01,1\nben,soon,2\ncid,2024-01-01,3\n"],
    ["LF first and CRLF after it", "user_id,date,amount\nann,2024-01-01,1\r\nben,soon,2\r\ncid,2024-01-01,3\r\n"],
    ["CR, LF and CRLF in turn", "user_id,date,amount\rann,2024-01-01,1\nben,soon,2\r\ncid,2024-01-01,3"],
  ])("is read line by line with %s", async (_which, text) => {
    const { events, badRows } = await readText(text);
    expect(events.map(({ line, key, event }) => [line, key, event["amount"]])).toEqual([
      [2, "ann", "1"],
      [4, "cid", "3"],
    ]);
    expect(badRows).toMatchObject([{ line: 3 }]);
    expect(await checkEventCsv(join(folder, "file.csv"), "purchase")).toMatchObject({ rows: 3 });
  });

  it("keeps a line end within quotes as it is, and finds one that two chunks of the file share", async () => {
    const { events } = await readText('user_id,date,amount,username\r\nann,2024-01-01,1,"A\r\nB"\nben,2024-01-01,2,"C\nD"\r\n');
    expect(events.map(({ event }) => event["username"])).toEqual(["A\r\nB", "C\nD"]);
    // The file is read by 64 KiB.
    const header = "user_id,date,amount\r\n";
    const long = `${"x".repeat(65_536 - header.length - ",2024-01-01,1\r".length)},2024-01-01,1\r\n`;
    const split = await readText(`${header}${long}ben,2024-01-01,2\r\n`);
    expect(split.events.map(({ line, event }) => [line, event["amount"]])).toEqual([
      [2, "1"],
      [3, "2"],
    ]);
    expect(split.badRows).toEqual([]);
  });

  it("goes on after a row with a broken quote", async () => {
    const { events, badRows } = await readText('user_id,date,amount\na"n"n,2024-01-01,1\nben,2024-01-01,1\n');
    expect(events.map(({ key }) => key)).toEqual(["ben"]);
    expect(badRows).toMatchObject([{ line: 2 }]);
  });

  it.each([
    ["before the end", 3],
    ["within the longest row that is read", 20_000],
  ])("is refused as a whole for a quote that is not closed %s, by the line it opens on", async (_where, rowsAfter) => {
    const rows = Array.from({ length: rowsAfter }, () => "ben,2024-01-01,1\n");
    const text = `user_id,date,amount\n${rows.slice(0, 3).join("")}"ann,2024-01-01,1\n${rows.join("")}`;
    await expect(readText(text)).rejects.toThrow(/the row that begins on line 5 .*quote.* never closed/);
    await expect(checkEventCsv(join(folder, "file.csv"), "purchase")).rejects.toThrow(/line 5/);
  });

  it("says which lines a quote in the wrong place took with it", async () => {
    const { badRows } = await readText('user_id,date,amount\n"ann,2024-01-01,1\nben,2024-01-01,1\n"eve",2024-01-01,1\ncid,2024-01-01,1\n');
    expect(badRows).toMatchObject([{ line: 4, reason: expect.stringContaining("lines 2 to 4 are not read") as unknown }]);
  });

  it("tells how many rows it has before the first is read, bad ones included", async () => {
    await readText('user_id,date,amount\nann,"2024-01-01",1\n\nann,soon\na"n"n,2024-01-01,1\n');
    expect(await checkEventCsv(join(folder, "file.csv"), "purchase")).toMatchObject({ rows: 3 });
  });

  it.each([
    ["Latin-1", Buffer.from("user_id,date,amount\nJos\u00e9,2024-01-01,1\n", "latin1"), "is not UTF-8 text"],
    ["text cut in the middle of a character", Buffer.from("user_id,date,amount\nann,2024-01-01,1\u00e9").subarray(0, -1), "is not UTF-8"],
    ["two columns of one meaning", "user_id,customer_id,date,amount\na,b,2024-01-01,1\n", "user_id and customer_id"],
    ["a column twice", "user_id,date,amount,Amount\na,2024-01-01,1,2\n", "amount and amount"],
    ["amounts in two currencies", "user_id,date,amount_usd,amount_eur\na,2024-01-01,1,2\n", "amount_usd and amount_eur"],
  ])("is refused as a whole with %s", async (_why, text, words) => {
    await expect(readText(text)).rejects.toThrow(words);
    await expect(checkEventCsv(join(folder, "file.csv"), "purchase")).rejects.toThrow(CsvFileError);
  });

  it.each([
    ["no date column", "user_id,amount\nann,1\n"],
    ["no amount column", "user_id,date,price\nann,2024-01-01,1\n"],
    ["nothing at all", ""],
  ])("is refused as a whole with %s", async (_why, text) => {
    await readText(text).catch(() => undefined);
    await expect(checkEventCsv(join(folder, "file.csv"), "purchase")).rejects.toThrow(CsvFileError);
  });

  it("is refused as a whole when it cannot be read", async () => {
    await expect(checkEventCsv(join(folder, "none.csv"), "purchase")).rejects.toThrow(CsvFileError);
  });
});

describe("the id of a row without one", () => {
  it("stays short enough for an event's id, however long the source's name is", () => {
    expect(rowEventId("shop", 7)).toBe("import/shop/7");
    expect(rowEventId("..", 7)).toMatch(/^import\/[0-9a-f]{64}\/7$/);
    expect(rowEventId("x".repeat(5_000), 7).length).toBeLessThan(100);
    expect(rowEventId(`${"x".repeat(5_000)}a`, 7)).not.toBe(rowEventId(`${"x".repeat(5_000)}b`, 7));
  });
});

describe("a CSV file of other events", () => {
  it("becomes loyalty transactions, keyed by their user", async () => {
    const { events, badRows } = await readText(
      "user_id,type,amount,occurred_at,transaction_id,comment\nann,accrual,150,2026-03-01,t-1,spring\nann,redemption,5,soon,t-2,\n",
      {
        kind: "loyalty",
      },
    );
    expect(events).toEqual([
      {
        line: 2,
        key: "ann",
        event: {
          transaction_id: "t-1",
          user_id: "ann",
          type: "accrual",
          amount: "150",
          occurred_at: "2026-02-28T21:00:00.000Z",
          comment: "spring",
        },
      },
    ]);
    expect(badRows).toMatchObject([{ line: 3 }]);
  });

  it("becomes wishes for orders of one line, keyed by the order", async () => {
    const { events, badRows } = await readText("order_id,user_id,service,amount_usd,quantity\no-1,ann,music,7.50,2\n,ann,music,1.00,1\n", {
      kind: "order",
    });
    expect(events).toEqual([
      {
        line: 2,
        key: "o-1",
        event: {
          event_id: ROW_ID,
          order_id: "o-1",
          user_id: "ann",
          currency: "USD",
          items: [{ service_id: "music", amount: "7.50", quantity: 2 }],
        },
      },
    ]);
    expect(badRows).toMatchObject([{ line: 3, reason: "the row names no order" }]);
  });

  // `Number` makes nothing of the first, which was read as a quantity left out, and 16 of the second.
  it.each(["2 pcs", "0x10", "1,5", "-", "Infinity", "1e2", "2.0", "٣", "1 000"])(
    "is a bad row, and no guess, with the quantity %s",
    async (quantity) => {
      const { events, badRows } = await readText(
        `order_id,user_id,service,amount,quantity\no-1,ann,music,7.50,"${quantity}"\no-2,ann,music,7.50,\no-3,ann,music,7.50,12\n`,
        { kind: "order" },
      );
      expect(badRows).toEqual([{ line: 2, reason: `the quantity ${quantity} is not a whole number such as 2` }]);
      expect(events.map(({ event }) => event["items"])).toEqual([
        [{ service_id: "music", amount: "7.50" }],
        [{ service_id: "music", amount: "7.50", quantity: 12 }],
      ]);
    },
  );

  it("is refused as a whole when points are to have a currency", async () => {
    await writeFile(join(folder, "file.csv"), "user_id,date,amount,type,currency\nann,2026-01-01,1,accrual,RUB\n");
    await expect(checkEventCsv(join(folder, "file.csv"), "loyalty")).rejects.toThrow(/points/);
  });

  it("is refused as a whole without the columns that its kind needs", async () => {
    await writeFile(join(folder, "file.csv"), "user_id,date,amount\nann,2026-01-01,1\n");
    await expect(checkEventCsv(join(folder, "file.csv"), "loyalty")).rejects.toThrow(/type/);
    await expect(checkEventCsv(join(folder, "file.csv"), "order")).rejects.toThrow(/order_id/);
  });
});
