import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { inject } from "vitest";
import { TEMPLATE_DATABASE, withDatabase } from "./database-url.ts";

export type TestDatabase = {
  /** The address as the application. */
  readonly appUrl: string;
  /** The address as the superuser. */
  readonly adminUrl: string;
  /** Removes the database, also when connections to it are open. Safe to retry. */
  drop(): Promise<void>;
};

/**
 * Makes a database for one test file: a copy of the migrated template, on the server that this run of the tests started.
 * Throws: Error when SALDO_TEST_SERVERS left Postgres out.
 */
export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl: string | undefined = inject("databaseAdminUrl");
  if (adminUrl === undefined) throw new Error("This test needs Postgres; SALDO_TEST_SERVERS leaves it out.");
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  await runAsAdmin(adminUrl, `create database ${name} template ${TEMPLATE_DATABASE}`);
  return {
    appUrl: withDatabase(inject("databaseAppUrl"), name),
    adminUrl: withDatabase(adminUrl, name),
    drop: () => runAsAdmin(adminUrl, `drop database if exists ${name} with (force)`),
  };
}

async function runAsAdmin(adminUrl: string, statement: string): Promise<void> {
  const sql = postgres(adminUrl, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
