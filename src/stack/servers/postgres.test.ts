import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";

let database: TestDatabase;
let admin: postgres.Sql;

beforeAll(async () => {
  database = await createTestDatabase();
  admin = postgres(database.adminUrl, { max: 1 });
});

afterAll(async () => {
  await admin.end();
  await database.drop();
});

test.each(["fsync", "synchronous_commit", "full_page_writes"])("an acknowledged commit survives a crash: %s stays on", async (setting) => {
  const [row] = await admin.unsafe(`show ${setting}`);
  expect(row?.[setting]).toBe("on");
});

test("the server listens on loopback only, asks for a password, and counts time in UTC", async () => {
  const [row] =
    await admin`select current_setting('listen_addresses') as listen, current_setting('unix_socket_directories') as sockets, current_setting('TimeZone') as zone, current_setting('server_encoding') as encoding, current_setting('password_encryption') as passwords`;
  expect(row).toEqual({ listen: "127.0.0.1", sockets: "", zone: "UTC", encoding: "UTF8", passwords: "scram-sha-256" });
  const wrongPassword = new URL(database.adminUrl);
  wrongPassword.password = "wrong";
  const stranger = postgres(wrongPassword.toString(), { max: 1 });
  await expect(stranger`select 1`).rejects.toMatchObject({ code: "28P01" });
  await stranger.end();
});

test("the application's role is no superuser", async () => {
  const app = postgres(database.appUrl, { max: 1 });
  const [row] = await app`select rolsuper, rolcreatedb, rolcreaterole from pg_roles where rolname = current_user`;
  await app.end();
  expect(row).toEqual({ rolsuper: false, rolcreatedb: false, rolcreaterole: false });
});

test("each test database is a copy of its own", async () => {
  const other = await createTestDatabase();
  expect(other.appUrl).not.toBe(database.appUrl);
  await other.drop();
  const gone = postgres(other.adminUrl, { max: 1 });
  await expect(gone`select 1`).rejects.toMatchObject({ code: "3D000" });
  await gone.end();
});
