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

  it.each(["channel_binding", "sslcrl", "sslpassword", "require_auth", "passfile", "datestyle"])("does not drop %s in silence", (name) => {
    expect(readPostgresUrl(`${BASE}?sslmode=require&${name}=require`).unkept).toEqual([name]);
  });

  it("gives itself when it is read again", () => {
    const { url } = readPostgresUrl(`${BASE}?schema=public&sslrootcert=system&options=-c%20lock_timeout%3D5s`);
    expect(readPostgresUrl(url)).toEqual({ url, unkept: [], isEncoded: true });
  });

  // porsager/postgres#735: the driver throws a URIError at each statement.
  it.each(["postgres://app:50%off@db/saldo", "postgres://a%zz:p@db/saldo", "postgres://app:p@db/100%"])("%s is not encoded", (address) => {
    expect(readPostgresUrl(address).isEncoded).toBe(false);
  });

  it.each(["sslmode=prefer", "sslmode=allow", "ssl=no-verify", "sslmode=maybe"])(
    "calls %s what it is: a mode that checks nothing",
    (mode) => {
      expect(readPostgresUrl(`${BASE}?${mode}`).looseMode).toBe(mode.split("=")[1]);
    },
  );

  it.each([
    ["postgres://app@db/saldo", { database: "saldo", ssl: false }],
    ["postgres://app@db", { ssl: false }],
    ["postgres://app@[2001:db8::1]:6432/a%2Fb%20%C3%BC", { host: ["2001:db8::1"], port: [6432], database: "a/b ü", ssl: false }],
    ["postgres://app@[::1]/saldo?sslmode=disable", { host: ["::1"], port: [5432], database: "saldo", ssl: false }],
  ])("tells the driver of %s what it would read wrongly", (address, options) => {
    expect(driverTarget(address).options).toEqual(options);
  });

  it.each(["sslmode=disable&ssl=true", "sslmode=disable&sslmode=verify-full", "ssl=false&sslmode=require", "sslnegotiation=direct"])(
    "takes the safe one of words that contradict each other: %s",
    (query) => {
      expect(driverTarget(`${BASE}?${query}`).options.ssl).toMatchObject({ rejectUnauthorized: true, host: "db.example" });
    },
  );

  // Of `require` the driver itself would check nothing.
  it.each(["sslmode=require", "sslmode=verify-ca", "sslmode=verify-full", "ssl=true", "sslrootcert=system"])(
    "has the certificate and the name checked with %s",
    (query) => {
      const { url, options } = driverTarget(`${BASE}?application_name=a%20b&${query}`);
      expect(url).toBe(`${BASE}?application_name=a%20b`);
      expect(options.ssl).toMatchObject({ rejectUnauthorized: true, host: "db.example", servername: "db.example" });
    },
  );
});
