import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { createDatabase, type Database } from "../postgres/database.ts";
import { readUnpublished } from "./outbox.ts";

let testDatabase: TestDatabase;
let database: Database;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "outbox-test", laneCount: 1, deadlineMs: 10_000 });
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

describe("reading the outbox", () => {
  it("brings what stands behind large rows that are left out, which take no room", async () => {
    await database.db.execute(`
      insert into outbox (aggregate_type, aggregate_id, topic, raw_value)
      select 'dead_letter', n::text, case when n <= 5 then 'dlq.t' when n = 6 then 'dlq.t' else 'other' end,
             convert_to(repeat('x', case when n <= 5 then 1500000 else 1 end), 'UTF8')
        from generate_series(1, 7) n order by n`);
    const rows = await readUnpublished(database.db, { limit: 3, withoutTopics: [] });
    expect(rows.map(({ aggregateId }) => aggregateId)).toEqual(["1", "2", "3"]);
    const large = [
      ...(await database.db.execute<{ id: string }>("select id from outbox where octet_length(raw_value) > 1 and published_at is null")),
    ];
    const behind = await readUnpublished(database.db, { limit: 3, withoutTopics: [], withoutIds: large.map(({ id }) => id) });
    expect(behind.map(({ aggregateId, topic }) => [aggregateId, topic])).toEqual([
      ["6", "dlq.t"],
      ["7", "other"],
    ]);
  });
});
