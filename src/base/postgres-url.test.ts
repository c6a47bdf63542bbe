import { describe, expect, it } from "vitest";
import { readPostgresUrl } from "./postgres-url.ts";

const BASE = "postgres://app:p%40ss@db.example:6432/saldo";

describe("an address of Postgres", () => {
  it.each([
    ["", ""],
    ["?sslmode=verify-full", "?sslmode=verify-full"],
    ["?schema=public&connection_limit=5&pgbouncer=true", ""],
    ["?sslmode=require&keepalives_idle=30&connect_timeout=10", "?sslmode=require"],
    ["?gssencmode=disable&channel_binding=prefer", ""],
    ["?client_encoding=LATIN1", ""],
    ["?application_name=billing&options=-c%20lock_timeout%3D5s", "?application_name=billing&options=-c%20lock_timeout%3D5s"],
  ])("keeps of %s what the driver understands", (query, kept) => {
    expect(readPostgresUrl(BASE + query)).toEqual({ url: BASE + kept, unkept: [] });
  });

  it.each(["channel_binding", "sslrootcert", "sslcert", "sslkey", "require_auth", "passfile", "datestyle"])(
    "does not drop %s in silence",
    (name) => {
      expect(readPostgresUrl(`${BASE}?sslmode=require&${name}=require`).unkept).toEqual([name]);
    },
  );

  it("gives itself when it is read again", () => {
    const { url } = readPostgresUrl(`${BASE}?schema=public&sslrootcert=system&options=-c%20lock_timeout%3D5s`);
    expect(readPostgresUrl(url)).toEqual({ url, unkept: [] });
  });
});
