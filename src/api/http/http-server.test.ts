import { connect } from "node:net";
import { OpenAPIHono } from "@hono/zod-openapi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { deferred } from "../../../test/support/deferred.ts";
import { TEST_SETTINGS } from "../../../test/support/http-api.ts";
import { until } from "../../../test/support/until.ts";
import { SILENT_LOG } from "../../adapters/log.ts";
import { NO_METRICS } from "../../adapters/metrics/metrics.ts";
import { LOCAL_PRINCIPAL } from "../../contract/identity.ts";
import { createApp } from "../app.ts";
import type { ApiDeps } from "../deps.ts";
import { listen, type HttpServer } from "./http-server.ts";

const MAX_BODY_BYTES = 2_048;
let app: ReturnType<typeof createApp>;
let server: HttpServer;
let localApp: ReturnType<typeof createApp>;
const errors: object[] = [];
const counted: string[] = [];

beforeAll(async () => {
  const settings = { ...TEST_SETTINGS, version: "1", maxBodyBytes: MAX_BODY_BYTES };
  const deps = {
    log: { ...SILENT_LOG, error: (fields: object) => void errors.push(fields) },
    requestLog: SILENT_LOG,
    settings,
    checks: [],
    db: {},
    metrics: NO_METRICS,
    authenticator: { authenticate: async () => LOCAL_PRINCIPAL },
    limits: { byAddress: async (_context: unknown, routeClass: string) => void counted.push(routeClass), bySubject: async () => {} },
  };
  app = createApp(deps as unknown as ApiDeps);
  localApp = createApp({ ...deps, settings: { ...settings, onlyLocalHosts: true } } as unknown as ApiDeps);
  server = await listen(app, { host: "127.0.0.1", port: 0 });
});

afterAll(() => server.close(1_000));

/** Sends bytes as they are and gives all that comes back until the server closes, or until `waitMs` are over. */
function exchange(text: string, waitMs = 20_000, port = server.port): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    const timer = setTimeout(() => socket.destroy(), waitMs);
    socket.on("data", (chunk) => {
      answer += chunk.toString("utf8");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

const statusOf = (answer: string) => Number(answer.split(" ")[1]);
const problemOf = (answer: string) => JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as { code: string; status: number };
const HOST = "Host: x\r\nConnection: close\r\n";

describe("the HTTP server", () => {
  test("answers over a socket", async () => {
    const response = await fetch(`http://127.0.0.1:${server.port}/version`);
    expect(await response.json()).toMatchObject({ name: "saldo", version: "1" });
  });

  test("what follows a request on its connection and is none does not answer for it", async () => {
    const after = async (next: string) =>
      (await exchange(`GET /version HTTP/1.1\r\nHost: x\r\n\r\n${next}`)).split(/(?=HTTP\/1\.1 \d)/).map(statusOf);
    expect(await after("GARBAGE\r\n\r\n")).toEqual([200, 405]);
    expect(await after("GET /version HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n")).toEqual([200, 400]);
  });

  test("TRACE is a 405 that names the methods", async () => {
    const answer = await exchange(`TRACE /healthz HTTP/1.1\r\n${HOST}\r\n`);
    expect(statusOf(answer)).toBe(405);
    expect(answer.toLowerCase()).toContain("allow: get, head");
  });

  test.each([
    ["a method nobody knows", `BREW /healthz HTTP/1.1\r\n${HOST}\r\n`, 405],
    ["two lengths", `POST /api/v1/services HTTP/1.1\r\n${HOST}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`, 400],
    [
      "a length and chunks",
      `POST /api/v1/services HTTP/1.1\r\n${HOST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ["a broken header", `GET /healthz HTTP/1.1\r\n${HOST}Bad Header: x\r\n\r\n`, 400],
    ["headers of 20 KB", `GET /healthz HTTP/1.1\r\n${HOST}X-Big: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["no host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    ["an empty host", "GET /healthz HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 400],
    ["chunks in HTTP/1.0", `POST /api/v1/services HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ["a host that is no host", "GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n", 400],
    ["two hosts in HTTP/1.0", "GET /healthz HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400],
    ["two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n", 400],
    ["a tunnel", `CONNECT example.com:443 HTTP/1.1\r\n${HOST}\r\n`, 405],
    ["an expectation nobody knows", `GET /healthz HTTP/1.1\r\n${HOST}Expect: tea\r\n\r\n`, 417],
  ])("%s is refused", async (_what, text, status) => {
    expect(statusOf(await exchange(text))).toBe(status);
  });

  test.each([
    ["/healthz", "without a host", ""],
    ["/readyz", "with an empty host", "Host:\r\n"],
    ["/version", "with a host", "Host: saldo.example\r\n"],
  ])("HTTP/1.0 gets %s %s, and its connection is closed", async (path, _how, host) => {
    const answer = await exchange(`GET ${path} HTTP/1.0\r\n${host}\r\n`);
    expect(statusOf(answer)).toBe(200);
    expect(answer.toLowerCase()).toContain("connection: close");
  });

  test("what the parser refuses is problem details too", async () => {
    expect(problemOf(await exchange(`CONNECT example.com:443 HTTP/1.1\r\n${HOST}\r\n`))).toMatchObject({ code: "METHOD_NOT_ALLOWED" });
    const expecting = await exchange(`POST /api/v1/services HTTP/1.1\r\n${HOST}Expect: tea\r\n\r\n`);
    expect(expecting.slice(expecting.indexOf("{"))).toContain('"status":417');
    expect(problemOf(await exchange(`BREW /healthz HTTP/1.1\r\n${HOST}\r\n`))).toMatchObject({ code: "METHOD_NOT_ALLOWED", status: 405 });
    expect(problemOf(await exchange("GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n"))).toMatchObject({
      code: "INVALID_REQUEST",
      status: 400,
    });
  });

  test.each([
    ["no host", "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"],
    ["a host that is no host", "GET /healthz HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n"],
    ["a broken request line", "GET /healthz HTTP/9.9\r\n\r\n"],
    ["a length and chunks", `POST /api/v1/services HTTP/1.1\r\n${HOST}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ])("%s is answered as problem details with the headers of every answer", async (_what, text) => {
    const answer = await exchange(text);
    expect(statusOf(answer)).toBe(400);
    expect(problemOf(answer)).toMatchObject({ code: "INVALID_REQUEST", status: 400 });
    expect(answer.toLowerCase()).toContain("x-content-type-options: nosniff");
    expect(answer.toLowerCase()).toContain("cache-control: no-store");
    expect(answer.toLowerCase()).toContain("content-security-policy: default-src 'none'");
  });

  test("cuts off headers and bodies that come too slowly, with a 408", async () => {
    const hasty = await listen(app, { host: "127.0.0.1", port: 0, headersTimeoutMs: 200, requestTimeoutMs: 400 });
    const slowHeaders = exchange("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ", 20_000, hasty.port);
    const slowBody = exchange(
      "POST /api/v1/services HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
      20_000,
      hasty.port,
    );
    for (const answer of await Promise.all([slowHeaders, slowBody])) {
      expect(statusOf(answer)).toBe(408);
      expect(problemOf(answer)).toMatchObject({ code: "INVALID_REQUEST", status: 408 });
    }
    await hasty.close(1_000);
  });

  test("closes the connection of a client that keeps its side open after a 408", async () => {
    const hasty = await listen(app, { host: "127.0.0.1", port: 0, headersTimeoutMs: 200, requestTimeoutMs: 400 });
    const socket = connect({ port: hasty.port, host: "127.0.0.1", allowHalfOpen: true });
    const gone = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => {});
    socket.resume();
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    const writing = setInterval(() => socket.write("x"), 50);
    await gone;
    clearInterval(writing);
    await hasty.close(1_000);
  });

  test("a client that hangs up in the middle of its body is no error of ours", async () => {
    errors.length = 0;
    for (const framing of ["Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n5\r\n{"]) {
      const socket = connect(server.port, "127.0.0.1");
      socket.write(`POST /api/v1/services HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${framing}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
      socket.resetAndDestroy();
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(errors).toEqual([]);
  });

  test("a chunked body without end is cut off at the limit", async () => {
    const chunk = `400\r\n${"x".repeat(1_024)}\r\n`;
    const answer = await exchange(
      `POST /api/v1/services HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(10)}`,
    );
    expect(statusOf(answer)).toBe(413);
  });

  test.each(["GET", "HEAD"])(
    "the rest of a legacy %s's body over the limit does not keep the next request from its answer",
    async (method) => {
      const body = "x".repeat(200_000);
      const answer = await exchange(
        `${method} /api HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}GET /version HTTP/1.1\r\n${HOST}\r\n`,
      );
      expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 413", "HTTP/1.1 200"]);
    },
  );

  test("a legacy body without end is cut off", async () => {
    const socket = connect(server.port, "127.0.0.1");
    const gone = new Promise((resolve) => socket.on("close", resolve));
    socket.on("error", () => {});
    socket.resume();
    socket.write("GET /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    const writing = setInterval(() => socket.write(`10000\r\n${"x".repeat(65_536)}\r\n`), 5);
    await gone;
    clearInterval(writing);
  });

  test("with AUTH_MODE=off takes only requests that name this machine", async () => {
    const local = await listen(localApp, { host: "127.0.0.1", port: 0 });
    const statusFor = async (host: string) =>
      statusOf(await exchange(`GET /version HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`, 20_000, local.port));
    expect(await Promise.all(["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:8080"].map(statusFor))).toEqual([200, 200, 200, 200]);
    expect(statusOf(await exchange("GET /version HTTP/1.0\r\n\r\n", 20_000, local.port))).toBe(200);
    expect(await Promise.all(["evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1"].map(statusFor))).toEqual([
      403, 403, 403, 403,
    ]);
    await local.close(1_000);
  });

  test("pages, the document and paths that are no text count against the address", async () => {
    counted.length = 0;
    for (const path of ["/docs", "/swagger/index.html", "/swagger/start.js", "/openapi.json", "/%ff"])
      await exchange(`GET ${path} HTTP/1.1\r\n${HOST}\r\n`);
    expect(counted).toEqual(["read", "read", "read", "read", "read"]);
  });

  test("a declared length above the limit is refused before the body comes", async () => {
    const answer = await exchange(
      `POST /api/v1/services HTTP/1.1\r\n${HOST}Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n`,
    );
    expect(statusOf(answer)).toBe(413);
  });

  test("a header cannot carry a line break into the answer", async () => {
    const answer = await exchange(`GET /healthz HTTP/1.1\r\n${HOST}X-Correlation-Id: a\r\n Set-Cookie: x=1\r\n\r\n`);
    expect(answer.toLowerCase()).not.toContain("\r\nset-cookie");
  });

  describe("requests that are sent before the answer to an earlier one", () => {
    async function gatedServer() {
      const gated = new OpenAPIHono();
      const begun: string[] = [];
      const gate = deferred();
      gated.get("/:name", async (context) => {
        begun.push(context.req.param("name"));
        await gate.promise;
        return context.text(`answer ${context.req.param("name")}`);
      });
      return { begun, gate, server: await listen(gated as never, { host: "127.0.0.1", port: 0 }) };
    }
    const get = (path: string, headers = "") => `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

    test("begin one after the other, and are answered in their order", async () => {
      const { begun, gate, server: own } = await gatedServer();
      const answer = exchange(get("/a") + get("/b") + get("/c", "Connection: close\r\n"), 20_000, own.port);
      await until("the first has begun", () => Promise.resolve(begun.length > 0));
      expect(begun).toEqual(["a"]);
      gate.resolve();
      expect((await answer).match(/answer \w/g)).toEqual(["answer a", "answer b", "answer c"]);
      await own.close(1_000);
    });

    test("are never begun once the connection is cut, or an answer has closed it", async () => {
      const { begun, gate, server: own } = await gatedServer();
      await exchange(get("/a") + get("/b"), 200, own.port);
      gate.resolve();
      await exchange(get("/c", "Connection: close\r\n") + get("/d"), 20_000, own.port);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(begun).toEqual(["a", "c"]);
      await own.close(1_000);
    });

    test("are bounded: a connection with too many of them is cut", async () => {
      const { begun, server: own } = await gatedServer();
      expect(await exchange(get("/a").repeat(500), 20_000, own.port)).toBe("");
      expect(begun).toEqual(["a"]);
      await own.close(1_000);
    });
  });

  test("it lets a running request end and then closes", async () => {
    const slow = new OpenAPIHono();
    const [begun, mayEnd] = [deferred(), deferred()];
    slow.get("/slow", async (context) => {
      begun.resolve();
      await mayEnd.promise;
      return context.text("done");
    });
    const own = await listen(slow as never, { host: "127.0.0.1", port: 0 });
    const answer = fetch(`http://127.0.0.1:${own.port}/slow`).then((response) => response.text());
    await begun.promise;
    const closed = own.close(60_000);
    mayEnd.resolve();
    await closed;
    expect(await answer).toBe("done");
    await expect(fetch(`http://127.0.0.1:${own.port}/slow`)).rejects.toThrow("fetch failed");
  });
});
