import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createTestDatabase } from "../../../test/support/test-database.ts";
import { migrateDatabase } from "./migrate.ts";

interface Journal {
  readonly entries: readonly { readonly idx: number; readonly when: number; readonly tag: string }[];
}

const folder = new URL("../../../drizzle/migrations/", import.meta.url);
const journal = JSON.parse(readFileSync(new URL("meta/_journal.json", folder), "utf8")) as Journal;

/**
 * What was released must stay as it is: a database that has it would silently differ from a new one.
 * A new migration adds its line here.
 */
const RELEASED: Record<string, string> = JSON.parse(readFileSync(new URL("../released.json", folder), "utf8")) as Record<string, string>;

describe("migrations", () => {
  it("have times that only rise: drizzle skips one that is older than the last applied in silence", () => {
    const times = journal.entries.map((entry) => entry.when);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(times).size).toBe(times.length);
  });

  it("stand unchanged once they are released", () => {
    const found = Object.fromEntries(
      journal.entries.map(({ tag }) => [
        tag,
        createHash("sha256")
          .update(readFileSync(new URL(`${tag}.sql`, folder)))
          .digest("hex"),
      ]),
    );
    expect(found).toEqual(RELEASED);
  });

  it("run by many at once leave one schema and no error, and nothing is left to apply", async () => {
    const database = await createTestDatabase();
    const results = await Promise.all(Array.from({ length: 4 }, () => migrateDatabase(database)));
    expect(results.map((result) => result.applied)).toEqual([0, 0, 0, 0]);
    await database.drop();
  });
});
