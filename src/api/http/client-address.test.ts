import type { Context } from "hono";
import { describe, expect, test } from "vitest";
import { createClientAddresses } from "./client-address.ts";

function requestFrom(remoteAddress: string | undefined, headers: Record<string, string> = {}): Context {
  const env = remoteAddress === undefined ? {} : { incoming: { socket: { remoteAddress } } };
  return { env, req: { header: (name: string) => headers[name] } } as unknown as Context;
}

describe("a client's address", () => {
  test.each([
    ["203.0.113.7", "203.0.113.7"],
    ["::ffff:203.0.113.7", "203.0.113.7"],
    ["::ffff:cb00:7107", "203.0.113.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:db8:1:2::", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::9", "2001:db8:1:2::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    [undefined, "unknown"],
  ])("of %s counts as %s", (remote, expected) => {
    expect(createClientAddresses([]).of(requestFrom(remote))).toBe(expected);
  });

  test("is never taken from a header that no trusted proxy wrote", () => {
    const spoofed = { "x-forwarded-for": "198.51.100.1" };
    expect(createClientAddresses([]).of(requestFrom("203.0.113.7", spoofed))).toBe("203.0.113.7");
    expect(createClientAddresses(["10.0.0.0/8"]).of(requestFrom("203.0.113.7", spoofed))).toBe("203.0.113.7");
  });

  test.each([
    ["198.51.100.1", "198.51.100.1"],
    // What the client wrote itself stands to the left of what the proxy saw.
    ["1.1.1.1, 198.51.100.1", "198.51.100.1"],
    ["1.1.1.1, 198.51.100.1, 10.0.0.9", "198.51.100.1"],
    ["198.51.100.1:4711", "198.51.100.1"],
    ["[2001:db8::5]:4711", "2001:db8:0:0::/64"],
    ["1.1.1.1, nonsense", "10.1.2.3"],
    ["10.0.0.7, 10.0.0.8", "10.0.0.7"],
    ["", "10.1.2.3"],
  ])("behind a trusted proxy that forwards %j is %s", (forwarded, expected) => {
    expect(createClientAddresses(["10.0.0.0/8"]).of(requestFrom("::ffff:10.1.2.3", { "x-forwarded-for": forwarded }))).toBe(expected);
  });

  test("came over https only by a trusted proxy's word", () => {
    const addresses = createClientAddresses(["10.0.0.0/8", "2001:db8::1"]);
    const https = { "x-forwarded-proto": "https" };
    expect(addresses.isSecure(requestFrom("10.1.2.3", https))).toBe(true);
    expect(addresses.isSecure(requestFrom("2001:db8::1", https))).toBe(true);
    expect(addresses.isSecure(requestFrom("10.1.2.3"))).toBe(false);
    expect(addresses.isSecure(requestFrom("203.0.113.7", https))).toBe(false);
    expect(addresses.isSecure(requestFrom(undefined, https))).toBe(false);
  });

  test("cannot be read behind a proxy that is no address", () => {
    expect(() => createClientAddresses(["proxy.example"])).toThrow(TypeError);
  });
});
