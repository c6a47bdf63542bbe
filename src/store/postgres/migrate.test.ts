import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import postgres from "postgres";
import { describe, expect, it } from "vitest";
import { withDatabase } from "../../../test/support/database-url.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { depositOperation } from "../../domain/ledger/wallet-operations.ts";
import { createLedger } from "../ledger/ledger.ts";
import { createLane } from "./lane.ts";
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

/** Gives a database defaults of its own, as whoever runs the cluster may. */
async function setDefaults(database: TestDatabase, defaults: Readonly<Record<string, string>>): Promise<void> {
  const admin = postgres(database.adminUrl, { max: 1, fetch_types: false, onnotice: () => {} });
  const name = new URL(database.adminUrl).pathname.slice(1);
  for (const [setting, value] of Object.entries(defaults)) await admin.unsafe(`alter database ${name} set ${setting} = ${value}`);
  await admin.end({ timeout: 5 });
}

async function withNewDatabase(options: string, work: (database: TestDatabase) => Promise<void>, suffix = "_new"): Promise<void> {
  const copy = await createTestDatabase();
  const name = `${new URL(copy.adminUrl).pathname.slice(1)}${suffix}`;
  const admin = postgres(copy.adminUrl, { max: 1, fetch_types: false, onnotice: () => {} });
  await admin.unsafe(`create database "${name}" template template0 ${options}`);
  const at = (url: string) => withDatabase(url, encodeURIComponent(name));
  try {
    await work({ ...copy, adminUrl: at(copy.adminUrl), appUrl: at(copy.appUrl) });
  } finally {
    await admin.unsafe(`drop database "${name}" with (force)`);
    await admin.end({ timeout: 5 });
    await copy.drop();
  }
}

// immich-app/static-pages#719, lib/pq#76: a driver reads times and bytes as they are by default, and the database has another default.
describe("the defaults of a cluster", () => {
  const STRANGE: Readonly<Record<string, string>> = {
    datestyle: "'German'",
    timezone: "'America/St_Johns'",
    bytea_output: "'escape'",
    search_path: "'elsewhere'",
    default_transaction_isolation: "'serializable'",
  };

  it("do not reach the sessions of the application", async () => {
    const database = await createTestDatabase();
    await setDefaults(database, STRANGE);
    await migrateDatabase(database);
    const lane = createLane({ url: database.appUrl, name: "migrate-test", deadlineMs: 10_000 });
    const [row] = await lane.values(
      `select '2026-02-01 10:00:00.5+03'::timestamptz, '\\x00ff5c'::bytea, to_regclass('operations')::text, current_setting('transaction_isolation')`,
      [],
    );
    await lane.close();
    await database.drop();
    expect(row).toEqual(["2026-02-01 07:00:00.5+00", Buffer.from([0x00, 0xff, 0x5c]), "operations", "read committed"]);
  });

  it.each(["German", "SQL, DMY"])("leave a deposit its time: datestyle %s", async (style) => {
    const database = await createTestDatabase();
    await setDefaults(database, { datestyle: `'${style}'` });
    await migrateDatabase(database);
    const ledger = createLedger({ url: database.appUrl, name: "migrate-test", laneCount: 1, deadlineMs: 10_000 });
    const origin = { caller: "test", correlationId: "test" };
    const beganMs = Date.now();
    const posted = await ledger.post(
      depositOperation({ key: style, userId: "ann", currency: "RUB", amountMinor: 1n, comment: "", origin }),
    );
    await ledger.close();
    await database.drop();
    expect(posted).toMatchObject({ outcome: "done" });
    const recordedMs = "recordedAt" in posted ? posted.recordedAt.getTime() : Number.NaN;
    expect(Math.abs(recordedMs - beganMs)).toBeLessThan(60_000);
  });

  it("leave the tables in their schema when a new database is made", async () => {
    await withNewDatabase("", async (database) => {
      await setDefaults(database, STRANGE);
      expect(await migrateDatabase(database)).toEqual({ applied: journal.entries.length });
      const lane = createLane({ url: database.appUrl, name: "migrate-test", deadlineMs: 10_000 });
      expect(await lane.values("select to_regclass('public.operations')::text", [])).toEqual([["operations"]]);
      await lane.close();
    });
  });
});

// IQSS/dataverse#8278, celerp/celerp#189.
it.each(["SQL_ASCII", "LATIN1"])("a database in %s is refused before anything is made in it", async (encoding) => {
  await withNewDatabase(`encoding '${encoding}' locale 'C' locale_provider libc`, async (database) => {
    await expect(migrateDatabase(database)).rejects.toThrow(`keeps its text in ${encoding} and must keep it in UTF8`);
    const lane = createLane({ url: database.adminUrl, name: "migrate-test", deadlineMs: 10_000 });
    expect(await lane.values("select to_regclass('public.operations')", [])).toEqual([[null]]);
    await lane.close();
  });
});

// pgjdbc/pgjdbc#532: the name stands percent-encoded in the address.
it.each([" Ü-1", "/b?c#d%41e"])("a database whose name ends in %j is migrated and read", async (suffix) => {
  await withNewDatabase(
    "",
    async (database) => {
      expect(await migrateDatabase(database)).toEqual({ applied: journal.entries.length });
      const lane = createLane({ url: database.appUrl, name: "migrate-test", deadlineMs: 10_000 });
      const [row] = await lane.values("select current_database()", []);
      await lane.close();
      expect(String(row?.[0]).endsWith(suffix)).toBe(true);
    },
    suffix,
  );
});
