import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { probeReached } from "./probe-reached.ts";

test("a payment provider that takes connections is told apart from one that does not, by host and port alone", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const place = `127.0.0.1:${port}`;
  const config = { PSP_KIND: undefined, PSP_URL: `http://user:secret@${place}/v1` };
  expect(await probeReached(config, undefined)).toEqual([{ server: "Payment provider", address: place, trouble: undefined }]);
  // Stripe is not asked, and what PSP_URL still says is no provider of this system then.
  for (const kind of ["stripe", "none"] as const) expect(await probeReached({ ...config, PSP_KIND: kind }, undefined)).toEqual([]);
  server.close();
  await once(server, "close");
  expect(await probeReached(config, undefined)).toEqual([
    { server: "Payment provider", address: place, trouble: expect.stringContaining("ECONNREFUSED") as string },
  ]);
});

test("an address that is left from another provider is not asked where Stripe is the one that is paid at", async () => {
  expect(await probeReached({ PSP_KIND: "stripe", PSP_URL: "http://127.0.0.1:1" }, undefined)).toEqual([]);
});
