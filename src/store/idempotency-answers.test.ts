import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../test/support/test-database.ts";
import { createAnswerBook, type KeptAnswer } from "./idempotency-answers.ts";
import { createDatabase, type Database } from "./postgres/database.ts";

let postgres: TestDatabase;
let databases: Database[];

beforeAll(async () => {
  postgres = await createTestDatabase();
  databases = [0, 1].map((n) => createDatabase({ url: postgres.appUrl, name: `test-answers-${n}`, laneCount: 2, deadlineMs: 10_000 }));
});

afterAll(async () => {
  await Promise.all(databases.map((database) => database.close()));
  await postgres.drop();
});

const answer = (body: string): KeptAnswer => ({ requestHash: "hash", status: 201, headers: { location: "/x" }, body });

describe("the book of first answers", () => {
  test("keeps the first answer of a key and gives it to everyone after", async () => {
    const [book] = databases.map(({ db }) => createAnswerBook(db));
    const key = randomUUID();
    expect(await book?.find(key)).toBeUndefined();
    expect(await book?.keep(key, answer("one"))).toEqual(answer("one"));
    expect(await book?.keep(key, answer("two"))).toEqual(answer("one"));
    expect(await book?.find(key)).toEqual(answer("one"));
  });

  test("gives everyone the same answer when many keep theirs at once, in one process and in two", async () => {
    const books = databases.map(({ db }) => createAnswerBook(db));
    const keys = Array.from({ length: 20 }, () => randomUUID());
    const kept = await Promise.all(
      Array.from({ length: 400 }, async (_, n) => {
        const key = keys[n % keys.length] ?? "";
        return { key, body: (await books[n % 2]?.keep(key, answer(`${n}`)))?.body };
      }),
    );
    for (const key of keys) {
      const bodies = new Set(kept.filter((one) => one.key === key).map(({ body }) => body));
      expect(bodies.size).toBe(1);
      expect((await books[0]?.find(key))?.body).toBe([...bodies][0]);
    }
  });

  test("keeps texts exactly", async () => {
    const book = createAnswerBook((databases[0] as Database).db);
    const key = `http:ann's "ü":orders:${randomUUID()}`;
    const text = JSON.stringify({ comment: 'a\n"b"\\ é 😀 \u0000' });
    await book.keep(key, answer(text));
    expect((await book.find(key))?.body).toBe(text);
  });
});
