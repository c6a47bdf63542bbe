import { describe, expect, it } from "vitest";
import { driverTarget, readPostgresUrl } from "./postgres-url.ts";

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
    expect(readPostgresUrl(BASE + query)).toEqual({ url: BASE + kept, unkept: [], isEncoded: true });
  });

  it.each(["channel_binding", "sslrootcert", "sslcert", "sslkey", "require_auth", "passfile", "datestyle"])(
    "does not drop %s in silence",
    (name) => {
      expect(readPostgresUrl(`${BASE}?sslmode=require&${name}=require`).unkept).toEqual([name]);
    },
  );

  it("gives itself when it is read again", () => {
    const { url } = readPostgresUrl(`${BASE}?schema=public&sslrootcert=system&options=-c%20lock_timeout%3D5s`);
    expect(readPostgresUrl(url)).toEqual({ url, unkept: [], isEncoded: true });
  });

  // porsager/postgres#735: the driver throws a URIError at each statement.
  it.each(["postgres://app:50%off@db/saldo", "postgres://a%zz:p@db/saldo", "postgres://app:p@db/100%"])("%s is not encoded", (address) => {
    expect(readPostgresUrl(address).isEncoded).toBe(false);
  });

  it.each([
    ["postgres://app@db/saldo", { database: "saldo" }],
    ["postgres://app@db", {}],
    ["postgres://app@[2001:db8::1]:6432/a%2Fb%20%C3%BC", { host: ["2001:db8::1"], port: [6432], database: "a/b ü" }],
    ["postgres://app@[::1]/saldo", { host: ["::1"], port: [5432], database: "saldo" }],
  ])("tells the driver of %s what it would read wrongly", (address, target) => {
    expect(driverTarget(address)).toEqual(target);
  });
});
