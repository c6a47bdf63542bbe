import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, inject, it, vi } from "vitest";
import { ensureSchedules } from "../../../workers/parts/schedules.ts";
import { freePort } from "../../stack/free-port.ts";
import { connectDirectly } from "./temporal-direct.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Nothing listens there. */
const PROXY = "http://127.0.0.1:9";

it.each(["http_proxy", "https_proxy", "grpc_proxy"])("Temporal is asked without the proxy of %s", async (variable) => {
  vi.stubEnv(variable, PROXY);
  const connection = await connectDirectly({ address: inject("temporalAddress") });
  expect((await connection.workflowService.getSystemInfo({})).serverVersion).toMatch(/^\d+\./);
  await connection.close();
});

it("the schedules are made without the proxy too", async () => {
  vi.stubEnv("https_proxy", PROXY);
  await expect(ensureSchedules({ temporalAddress: inject("temporalAddress"), namespace: "default" })).resolves.toBeUndefined();
});

it("an attempt that fails leaves nothing that goes on trying", { timeout: 30_000 }, async () => {
  const port = await freePort();
  await expect(connectDirectly({ address: `127.0.0.1:${port}` }, 200)).rejects.toThrow(/connect/i);
  let calls = 0;
  const server = createServer((socket) => {
    calls += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  // The attempt that gRPC has planned already it makes, after a second; it would make the next ones 1.6 s and 2.6 s later (grpc/grpc, doc/connection-backoff.md).
  await sleep(5_500);
  server.close();
  expect(calls).toBeLessThan(2);
});
