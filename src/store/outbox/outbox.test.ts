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
    const rows = await readUnpublished(database.db, { limitPerTopic: 3, withoutTopics: [] });
    // Of `dlq.t` the first three, which are as many bytes as are read of one topic; the other topic has its own share.
    expect(rows.map(({ aggregateId }) => aggregateId)).toEqual(["1", "2", "3", "7"]);
    const large = [
      ...(await database.db.execute<{ id: string }>("select id from outbox where octet_length(raw_value) > 1 and published_at is null")),
    ];
    const behind = await readUnpublished(database.db, { limitPerTopic: 3, withoutTopics: [], withoutIds: large.map(({ id }) => id) });
    expect(behind.map(({ aggregateId, topic }) => [aggregateId, topic])).toEqual([
      ["6", "dlq.t"],
      ["7", "other"],
    ]);
  });

  it("brings the oldest of every topic, however many of one topic stand before them", async () => {
    await database.db.execute(`
      insert into outbox (aggregate_type, aggregate_id, topic, raw_value)
      select 'dead_letter', place::text, case when place <= 20000 then 'many' when place <= 20002 then 'saga.commands' else 'zebra' end, ''
        from generate_series(1, 20003) places (place) order by places.place`);
    const topicsOf = async (withoutTopics: readonly string[]) => {
      const rows = await readUnpublished(database.db, { limitPerTopic: 2, withoutTopics: ["dlq.t", "other", ...withoutTopics] });
      return rows.map(({ topic, aggregateId }) => `${topic} ${aggregateId}`);
    };
    expect(await topicsOf([])).toEqual(["many 1", "many 2", "saga.commands 20001", "saga.commands 20002", "zebra 20003"]);
    expect(await topicsOf(["many"])).toEqual(["saga.commands 20001", "saga.commands 20002", "zebra 20003"]);
    expect(await topicsOf(["many", "saga.commands", "zebra"])).toEqual([]);
  });
});
