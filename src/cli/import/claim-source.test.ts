import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { eventKey } from "../../contract/ids.ts";
import { claimEventIdentity } from "../../store/events/event-identities.ts";
import { readImportFiles } from "../../store/events/import-files.ts";
import { createDatabase, type Database } from "../../store/postgres/database.ts";
import { claimSource, createUnnamedRowsReader, OverlappingFile } from "./claim-source.ts";
import { readHeader } from "./csv-columns.ts";
import { createRowChain, rowEventId } from "./row-chain.ts";

let testDatabase: TestDatabase;
let database: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = createDatabase({ url: testDatabase.appUrl, name: "claim-test", laneCount: 2, deadlineMs: 10_000 });
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

const newSource = () => ({ topic: "purchases", source: `shop-${randomUUID()}`, path: "shop.csv" });
type Source = ReturnType<typeof newSource>;

/** Claims the source for a file with a row for each of the users; the user `-` stands for a row with an id of its own. */
async function claim(source: Source, ...users: readonly string[]): Promise<void> {
  const known = await readImportFiles(database.db, source);
  const columns = readHeader(["user_id", "date", "amount", "event_id"], "purchase");
  const chain = createRowChain();
  const unnamed = createUnnamedRowsReader(known.map(({ rows }) => rows));
  for (const [place, user] of users.entries()) {
    const hash = chain.next(columns, [user, "2024-01-01", "1.00", user === "-" ? `e-${place}` : ""]);
    if (hash !== undefined) unnamed.add(hash, place + 2);
  }
  await claimSource(database.db, source, known, unnamed);
}

describe("a source brings files of rows without ids", () => {
  it("the same file again, and one with more rows at its end", async () => {
    const source = newSource();
    await claim(source, "ann", "ben");
    await claim(source, "ann", "ben");
    await claim(source, "ann", "ben", "cid");
    await claim(source, "ann", "ben");
    await claim(source, "ann", "ben", "cid", "dan");
    expect(await readImportFiles(database.db, source)).toMatchObject([{ rows: 2 }, { rows: 3 }, { rows: 4 }]);
  });

  it.each([
    ["a new row on top", ["new", "ann", "ben", "cid"]],
    ["a changed row in its middle", ["ann", "other", "cid", "dan"]],
    ["a row removed", ["ann", "cid"]],
    ["the rows in another order", ["ben", "ann", "cid"]],
    ["other rows altogether", ["eve"]],
  ])("and is refused one that overlaps them: %s", async (_which, users) => {
    const source = newSource();
    await claim(source, "ann", "ben", "cid");
    const refused = claim(source, ...users);
    await expect(refused).rejects.toThrow(OverlappingFile);
    await expect(refused).rejects.toThrow(/event_id.* --source/);
    expect(await readImportFiles(database.db, source)).toHaveLength(1);
    await claim({ ...source, source: `${source.source}-2` }, ...users);
    await claim({ ...source, topic: "points" }, ...users);
  });

  it("and rows with ids of their own never stand in the way", async () => {
    const source = newSource();
    await claim(source, "-", "-");
    expect(await readImportFiles(database.db, source)).toEqual([]);
    await claim(source, "ann");
    await claim(source, "-", "ann", "-");
    await claim(source, "-");
  });

  it("of two different files at the same time one has the source", async () => {
    const source = newSource();
    const claims = await Promise.allSettled(["ann", "ben", "cid", "dan"].map((user) => claim(source, user, "eve")));
    expect(claims.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await readImportFiles(database.db, source)).toHaveLength(1);
    const same = newSource();
    await Promise.all([1, 2, 3].map(() => claim(same, "ann", "eve")));
    expect(await readImportFiles(database.db, same)).toHaveLength(1);
  });

  it("and is refused a file whose rows an earlier release knew by their lines, with the ids that they had", async () => {
    const source = newSource();
    const key = eventKey({ topic: source.topic, partition: 0, offset: "0" }, rowEventId(source.source, 3));
    await claimEventIdentity(database.db, { identity: key, workflowId: "order/o-1" });
    await expect(claim(source, "ann", "ben", "cid")).rejects.toThrow(`import/${source.source}/LINE`);
  });
});
