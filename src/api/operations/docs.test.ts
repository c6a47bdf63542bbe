import { readdir, readlink } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTestApi, type TestApi } from "../../../test/support/http-api.ts";
import { until } from "../../../test/support/until.ts";

let api: TestApi;
beforeAll(() => {
  // No database is asked: the pages stand on nothing.
  api = createTestApi({ databaseUrl: "postgres://nobody@127.0.0.1:1/none" });
});
afterAll(() => api.close());

describe("the API's pages", () => {
  it.each(["/docs", "/swagger/index.html"])("%s is a page whose every part this process answers itself", async (path) => {
    const page = await api.app.request(path);
    const html = await page.text();
    const parts = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address ?? "");

    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts) {
      expect(part).toMatch(/^\/swagger\//);
      const answer = await api.app.request(part);
      expect(answer.status, part).toBe(200);
      expect((await answer.arrayBuffer()).byteLength, part).toBeGreaterThan(100);
    }
  });

  // Linux alone tells a process by name which files it has open.
  it.skipIf(process.platform !== "linux")("a HEAD leaves no file of a page open", async () => {
    const file = "swagger-ui-bundle.js";
    const openFiles = async () => {
      const paths = await Promise.all((await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
      return paths.filter((path) => path.endsWith(file)).length;
    };
    for (let count = 0; count < 3; count += 1) expect((await api.app.request(`/swagger/${file}`, { method: "HEAD" })).status).toBe(200);
    await until("every file is closed", async () => (await openFiles()) === 0);
  });

  it("asks for the running API's own document and for no address outside, not even for a validator", async () => {
    const start = await (await api.app.request("/swagger/start.js")).text();

    expect(start).toContain('url: "/openapi.json"');
    expect(start).toContain("validatorUrl: null");
    expect(start).not.toMatch(/https?:\/\//);
  });

  it("may load and reach nothing but this origin, whatever the page's scripts try", async () => {
    const policy = (await api.app.request("/swagger/index.html")).headers.get("content-security-policy") ?? "";

    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("script-src 'self';");
  });

  it.each(["package.json", "..%2fpackage.json", "constructor", "swagger-ui.js.map"])("gives no file but its own: %s", async (file) => {
    expect((await api.app.request(`/swagger/${file}`)).status).toBe(404);
  });
});
