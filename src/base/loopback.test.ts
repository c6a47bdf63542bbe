import { expect, it } from "vitest";
import { isLoopbackHost } from "./loopback.ts";

it("a host is this machine by its own names alone, with any port", () => {
  for (const host of ["localhost", "LocalHost:8080", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:65535"])
    expect(isLoopbackHost(host), host).toBe(true);
  for (const host of [
    undefined,
    "",
    "::1",
    "localhost.evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost:",
    "a@localhost",
  ])
    expect(isLoopbackHost(host), host).toBe(false);
});
