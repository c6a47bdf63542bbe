import { afterEach, expect, inject, it, vi } from "vitest";
import { ensureSchedules } from "../../../workers/parts/schedules.ts";
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
