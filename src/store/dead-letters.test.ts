import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { createDatabase, type Database } from "./database.ts";
import { writeDeadLetters, type DeadLetter } from "./dead-letters.ts";
import { countFailedAttempt, markPublished, readUnpublished } from "./outbox.ts";

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "dead-letters-test", laneCount: 2, deadlineMs: 10_000 });
});

afterAll(async () => {
  await database.close();
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
  (await readUnpublished(database.db, { limit: 100, withoutTopics: [] })).filter(({ aggregateType }) => aggregateType === "dead_letter");

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

  it("keep a message without key and value", async () => {
    expect(await write(letter("tombstone", "200", { key: null, value: null }))).toBe(1);
    const copy = (await waiting()).find(({ headers }) => headers["offset"] === "200");
    expect(copy).toMatchObject({ rawKey: null, rawValue: null });
  });
});

describe("the outbox", () => {
  it("hands out what is not marked, without the topics that rest, and counts attempts", async () => {
    await write(letter("outbox", "300"));
    const row = (await waiting()).find(({ headers }) => headers["offset"] === "300");
    if (row === undefined) throw new Error("the row is missing");
    expect(await readUnpublished(database.db, { limit: 100, withoutTopics: ["dlq.purchases"] })).toEqual([]);
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
