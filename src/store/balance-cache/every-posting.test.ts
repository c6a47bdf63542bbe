import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { expect, it } from "vitest";
import { createTestDatabase } from "../../../test/support/test-database.ts";

const PROJECT = fileURLToPath(new URL("../../../", import.meta.url));

/** Files of the product, without tests, that hold the text. */
function filesWith(text: string): string[] {
  return ["src", "activities", "workers", "workflows"].flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true, encoding: "utf8" })
      .map((name) => join(folder, name))
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .filter((name) => readFileSync(join(PROJECT, name), "utf8").includes(text)),
  );
}

it("balances change by ledger_post alone, whatever function or role of the database is asked", async () => {
  const database = await createTestDatabase();
  const sql = postgres(database.adminUrl, { max: 1, onnotice: () => {} });
  const writers = await sql`
    select proname from pg_proc where pronamespace = 'public'::regnamespace
       and prosrc ~* '(insert\\s+into|update|delete\\s+from|merge\\s+into|truncate)\\s+(table\\s+)?(only\\s+)?"?(public"?\\.)?"?accounts\\M'`;
  expect(writers.map(({ proname }) => proname as string)).toEqual(["ledger_post"]);
  const rights = await sql`
    select r as privilege from unnest(array['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) r
     where has_table_privilege('saldo_app', 'accounts', r) or (r in ('INSERT', 'UPDATE') and has_any_column_privilege('saldo_app', 'accounts', r))`;
  expect([...rights]).toEqual([]);
  const triggers = await sql`select tgname from pg_trigger where tgrelid = 'accounts'::regclass and not tgisinternal`;
  expect([...triggers]).toEqual([]);
  await sql.end();
  await database.drop();
});

it("ledger_post is called by the ledger alone, and every ledger of a process marks what it changes", () => {
  expect(filesWith("from ledger_post(")).toEqual(["src/store/ledger/ledger.ts"]);
  // role-parts.test.ts shows that the ledger which a role is given is the marked one.
  expect(filesWith("createLedger(")).toEqual(["src/store/ledger/ledger.ts", "workers/parts/role-parts.ts"]);
});
