import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { serveMetrics, type MetricsServer } from "./metrics-server.ts";
import { createMetrics } from "./metrics.ts";

const servers: MetricsServer[] = [];
const warnings: object[] = [];
const log = { info: () => {}, warn: (fields: object) => void warnings.push(fields) };

async function serve(token?: string, port = 0): Promise<MetricsServer | undefined> {
  const metrics = createMetrics();
  metrics.watch({ breakers: { psp: () => "open" } });
  const server = await serveMetrics({ metrics, port, host: "127.0.0.1", token, log });
  if (server !== undefined) servers.push(server);
  return server;
}

function get(port: number, path: string, headers: Record<string, string> = {}, method = "GET"): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, headers, method }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on("error", reject).end();
  });
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  warnings.splice(0);
});

describe("the metrics of a role without an HTTP interface", () => {
  it("show an open circuit breaker, and that the role lives", async () => {
    const port = (await serve())?.port ?? 0;
    expect((await get(port, "/metrics")).text).toContain('circuit_breaker_state{breaker="psp",state="open"} 1');
    expect(await get(port, "/healthz")).toEqual({ status: 200, text: '{"status":"ok"}\n' });
    expect((await get(port, "/other")).status).toBe(404);
    expect((await get(port, "/metrics", {}, "POST")).status).toBe(405);
    expect((await get(port, "/healthz", {}, "HEAD")).status).toBe(200);
  });

  it("are not ended by an address that is none", async () => {
    const port = (await serve())?.port ?? 0;
    for (const path of ["//", "//[", "http://"]) expect((await get(port, path)).status).toBe(404);
  });

  it("are for those with the token where there is one, and else not for pages of other sites", async () => {
    const guarded = (await serve("a-token-of-sixteen"))?.port ?? 0;
    expect((await get(guarded, "/metrics")).status).toBe(401);
    expect((await get(guarded, "/metrics", { authorization: "Bearer a-token-of-sixteen" })).status).toBe(200);
    const open = (await serve())?.port ?? 0;
    expect((await get(open, "/metrics", { host: "evil.example" })).status).toBe(401);
  });

  it("are left out with a word in the log when their port is taken, and when there is no port", async () => {
    const taken = (await serve())?.port ?? 0;
    expect(await serve(undefined, taken)).toBeUndefined();
    expect(warnings).toMatchObject([{ event: "metrics.absent", port: taken }]);
    expect(await serveMetrics({ metrics: createMetrics(), port: undefined, host: "127.0.0.1", token: undefined, log })).toBeUndefined();
  });
});
