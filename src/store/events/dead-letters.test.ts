import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { countFailedAttempt, markPublished, readUnpublished } from "../outbox/outbox.ts";
import { createDatabase, type Database } from "../postgres/database.ts";
import { writeDeadLetters, type DeadLetter } from "./dead-letters.ts";
import { findReceipt } from "./receipts.ts";
import { bindEffects, redriveDeadLetter, redriveMatching, type WantedEffect } from "./redrives.ts";

let testDatabase: TestDatabase;
let database: Database;
/** With as many connections as there are callers at the same time. */
let others: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "dead-letters-test", laneCount: 2, deadlineMs: 10_000 });
  others = createDatabase({ url: testDatabase.appUrl, name: "redrives-test", laneCount: 4, deadlineMs: 30_000 });
});

afterAll(async () => {
  await database.close();
  await others.close();
  await testDatabase.drop();
});

const letter = (identity: string, offset: string, change: Partial<DeadLetter> = {}): DeadLetter => ({
  identity,
  topic: "purchases",
  partition: 2,
  offset,
  code: "INVALID_EVENT",
  reason: "the value is not a JSON object",
  key: Buffer.from([0, 255]),
  value: Buffer.from([1, 0, 254]),
  headers: { trace: "t-1", topic: "theirs" },
  attempts: 1,
  ...change,
});
const write = (...letters: DeadLetter[]) => writeDeadLetters(database.db, { deadLetterTopic: "dlq.purchases", letters });
const waiting = async () =>
  (await readUnpublished(database.db, { limitPerTopic: 100, withoutTopics: [] })).filter(
    ({ aggregateType }) => aggregateType === "dead_letter",
  );

describe("dead letters", () => {
  it("are kept once, and leave once with the original bytes and the reason in headers", async () => {
    expect(await write(letter("a", "5"))).toBe(1);
    expect(await write(letter("a", "5"), letter("a", "9"))).toBe(0);
    const [copy, ...more] = await waiting();
    expect(more).toEqual([]);
    expect(copy).toMatchObject({
      topic: "dlq.purchases",
      rawKey: Buffer.from([0, 255]),
      rawValue: Buffer.from([1, 0, 254]),
      headers: {
        topic: "purchases",
        partition: "2",
        offset: "5",
        code: "INVALID_EVENT",
        attempts: "1",
        trace: "t-1",
        "original-topic": "theirs",
      },
    });
  });

  it("are written once when two bridges write the same ones at the same time", async () => {
    const letters = Array.from({ length: 20 }, (_, place) => letter(`both-${place}`, String(100 + place)));
    const written = await Promise.all([write(...letters), write(...letters.toReversed())]);
    expect(written[0] + written[1]).toBe(20);
  });

  it("are one for equal content under one id, of which each repeat has a receipt, and another for each other content", async () => {
    const receiptOf = async (offset: string) => {
      const found = await findReceipt(database.db, { topic: "purchases", partition: 2, offset });
      return { outcome: found?.outcome, identity: found?.identity, code: found?.code, deadLetterId: found?.deadLetterId };
    };
    const other = (offset: string, text: string) =>
      letter("event:purchases#e-9", offset, { value: Buffer.from(text), code: "INVALID_AMOUNT" });
    expect(await write(letter("event:purchases#e-9", "210"), letter("event:purchases#e-9", "211"), other("212", "first"))).toBe(2);
    expect(await write(other("213", "second"))).toBe(1);
    expect(await write(letter("event:purchases#e-9", "211"), other("212", "first"), other("213", "second"))).toBe(0);

    const first = await receiptOf("210");
    expect(first).toMatchObject({ outcome: "dead-lettered", identity: "event:purchases#e-9", code: "INVALID_EVENT" });
    expect(await receiptOf("211")).toEqual(first);
    for (const offset of ["212", "213"])
      expect(await receiptOf(offset)).toMatchObject({ identity: `event:purchases@2:${offset}`, code: "INVALID_AMOUNT" });
    const values = (await waiting()).filter(({ headers }) => headers["partition"] === "2" && Number(headers["offset"]) >= 210);
    expect(values.map(({ rawValue }) => rawValue?.toString("latin1"))).toEqual(["\x01\x00\xfe", "first", "second"]);
  });

  it("keep a message without key and value", async () => {
    expect(await write(letter("tombstone", "200", { key: null, value: null }))).toBe(1);
    const copy = (await waiting()).find(({ headers }) => headers["offset"] === "200");
    expect(copy).toMatchObject({ rawKey: null, rawValue: null });
  });
});

describe("what dead letters are", () => {
  const idsOf = async (from: number, to: number) =>
    [
      ...(await database.db.execute<{ id: string }>(`select id from dead_letters where "offset" between ${from} and ${to} order by id`)),
    ].map(({ id }) => id);
  const wish = (deadLetterId: string, key: string, kind: WantedEffect["kind"] = "operation", subjectId = ""): WantedEffect => ({
    deadLetterId,
    key,
    kind,
    subjectId,
  });

  it("is settled by the first word, whoever else speaks at the same time, and never changed", async () => {
    await write(...Array.from({ length: 20 }, (_, place) => letter(`settled-${place}`, String(400 + place))));
    const ids = await idsOf(400, 419);
    const answers = await Promise.all(
      ["a", "b", "c"].map((name, place) => {
        const wishes = ids.map((id) => wish(id, `${name}-${id}`));
        return bindEffects(database.db, place === 1 ? wishes.toReversed() : wishes);
      }),
    );
    for (const id of ids) expect(new Set(answers.map((answer) => answer.get(id))).size).toBe(1);
    const [first = ""] = ids;
    expect(await bindEffects(database.db, [wish(first, "later"), wish(first, "latest")])).toEqual(
      new Map([[first, answers[0]?.get(first)]]),
    );
    await expect(database.db.execute(`update dead_letters set effect_key = 'another' where id = ${first}`)).rejects.toThrow(
      /append-only|Failed query/,
    );
  });

  it("is settled in the order of the messages, and not by a reply to no order", async () => {
    await write(letter("one", "430"), letter("two", "431"));
    const [one = "", two = ""] = await idsOf(430, 431);
    const bound = await bindEffects(database.db, [
      wish(one, "order/x", "reply", "x"),
      wish(two, "first"),
      wish(one, "order/y", "order", "y"),
      wish(two, "second"),
    ]);
    expect(bound).toEqual(
      new Map([
        [one, "order/y"],
        [two, "first"],
      ]),
    );
  });
});

describe("the outbox", () => {
  it("hands out what is not marked, without the topics that rest, and counts attempts", async () => {
    await write(letter("outbox", "300"));
    const row = (await waiting()).find(({ headers }) => headers["offset"] === "300");
    if (row === undefined) throw new Error("the row is missing");
    expect(await readUnpublished(database.db, { limitPerTopic: 100, withoutTopics: ["dlq.purchases"] })).toEqual([]);
    await countFailedAttempt(database.db, [row.id]);
    expect((await waiting()).find(({ id }) => id === row.id)?.attempts).toBe(1);
    await markPublished(database.db, [row.id]);
    await markPublished(database.db, [row.id]);
    expect((await waiting()).find(({ id }) => id === row.id)).toBeUndefined();
  });

  it("brings at most a few megabytes of dead letters at once, and always one", async () => {
    const big = Buffer.alloc(1_500_000, 7);
    for (let place = 0; place < 5; place += 1) await write(letter(`big-${place}`, String(400 + place), { value: big }));
    const rows = await waiting();
    expect(rows.filter(({ rawValue }) => rawValue?.length === big.length).length).toBeLessThan(5);
    expect(rows.length).toBeGreaterThan(0);
  });
});

describe("bulk redrives at the same time", () => {
  const act = { actor: "olga", reason: "the topic is mended", correlationId: "c-1" };
  const sent = async (topic: string) =>
    [
      ...(await database.db.execute<{ aggregate_id: string }>(
        sql`select aggregate_id from outbox where topic = ${topic} and aggregate_type = 'redrive'`,
      )),
    ].map((row) => row.aggregate_id);
  const writeMany = (topic: string, count: number) =>
    write(...Array.from({ length: count }, (_, place) => letter(`${topic} ${place}`, String(place), { topic })));

  it("send each dead letter once, however many ask for all of them", async () => {
    await writeMany("many", 300);
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => redriveMatching(others.db, { ...act, filter: { topic: "many" }, limit: 1_000 })),
    );
    const ids = answers.flat();
    expect([ids.length, new Set(ids).size]).toEqual([300, 300]);
    expect((await sent("many")).toSorted()).toEqual(ids.toSorted());
  });

  it("share the dead letters when each asks for some", async () => {
    await writeMany("shared", 40);
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => redriveMatching(others.db, { ...act, filter: { topic: "shared" }, limit: 10 })),
    );
    expect(new Set(answers.flat()).size).toBe(answers.flat().length);
    for (let rest = 1; rest > 0;) rest = (await redriveMatching(others.db, { ...act, filter: { topic: "shared" }, limit: 10 })).length;
    expect((await sent("shared")).length).toBe(40);
  });

  it("leave out what is sent by its id meanwhile, which is sent each time it is asked for", async () => {
    await writeMany("both", 20);
    const [one] = await database.db.execute<{ id: string }>(sql`select id from dead_letters where topic = 'both' order by id limit 1`);
    const deadLetterId = one?.id ?? "";
    expect(await redriveDeadLetter(database.db, { ...act, deadLetterId })).toBe(true);
    expect(await redriveMatching(others.db, { ...act, filter: { topic: "both" }, limit: 100 })).not.toContain(deadLetterId);
    expect(await redriveDeadLetter(database.db, { ...act, deadLetterId })).toBe(true);
    expect((await sent("both")).filter((id) => id === deadLetterId)).toHaveLength(2);
  });
});
