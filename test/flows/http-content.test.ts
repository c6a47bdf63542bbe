import { request } from "node:http";
import { text } from "node:stream/consumers";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { createTestApi, TEST_SETTINGS, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;
let server: HttpServer;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
  server = await listen(api.app, { host: "127.0.0.1", port: 0 });
});

afterAll(async () => {
  await server.close(0);
  await api.close();
  await database.drop();
});

const DEPOSIT = "/api/v1/balances/mallory/deposits";
const JSON_BODY = '{"amount":"1"}';
const deposit = (rawBody: string | Uint8Array | ReadableStream, headers: Record<string, string>) =>
  api.call("POST", DEPOSIT, { rawBody, headers });

describe("the type of a body", () => {
  test.each([
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON;charset=UTF-8",
    'application/json; charset="utf-8"',
    "application/json; charset=utf8",
    "application/json;",
    "application/json ; ; charset=utf-8",
    "application/json; version=1",
    "application/json; odata=verbose; charset=UTF8",
    "application/vnd.saldo+json",
  ])("%j is taken", async (type) => {
    expect((await deposit(JSON_BODY, { "content-type": type })).status).toBe(201);
  });

  test.each([
    "text/plain",
    "text/plain; application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/jsonp",
    "application/json, text/plain",
    "application/json; charset=utf-16",
    "application/json; charset=latin1",
    "application/json; charset=none",
    "",
  ])("%j is refused", async (type) => {
    const answer = await deposit(JSON_BODY, { "content-type": type });
    expect([answer.status, answer.body["code"]]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
  });
});

describe("the coding of a body", () => {
  test.each([
    ["gzip", gzipSync],
    ["X-GZIP", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
    ["identity", Buffer.from],
  ] as const)("%s is taken off", async (coding, encode) => {
    expect((await deposit(encode(Buffer.from(JSON_BODY)), { "content-encoding": coding })).status).toBe(201);
  });

  // fetch sends no body with GET; the earlier interface reads one.
  const send = (method: string, path: string, body: Uint8Array, headers: Record<string, string> = {}) =>
    new Promise<string>((resolve, reject) => {
      const asked = request({
        host: "127.0.0.1",
        port: server.port,
        method,
        path,
        headers: { "content-type": "application/json", ...headers },
      });
      asked.once("error", reject);
      asked.once("response", (response) => void text(response).then((said) => resolve(`${response.statusCode} ${said}`), reject));
      // Two writes without a length: Node sends chunks.
      asked.write(body.subarray(0, 5));
      asked.end(body.subarray(5));
    });

  test.each([
    ["POST", DEPOSIT, JSON_BODY],
    ["POST", "/api", '{"id":"5","amount":"10","comment":"for a test"}'],
    ["GET", "/api", '{"id":"none"}'],
  ])("is taken off what is sent in chunks over a socket: %s %s", async (method, path, body) => {
    const plain = await send(method, path, Buffer.from(body), { "idempotency-key": "content-1", "transfer-encoding": "chunked" });
    expect(plain).not.toContain("JSON");
    const zipped = { "content-encoding": "gzip", "idempotency-key": "content-1", "transfer-encoding": "chunked" };
    expect(await send(method, path, gzipSync(body), zipped)).toBe(plain);
    expect(await send(method, path, Buffer.from(body), zipped)).toMatch(/^400 .*Content-Encoding/);
  });

  test.each(["compress", "zstd", "gzip, gzip", "br, gzip", "constructor"])("%s is refused with those that are taken", async (coding) => {
    const answer = await deposit(JSON_BODY, { "content-encoding": coding });
    expect([answer.status, answer.body["code"]]).toEqual([415, "UNSUPPORTED_MEDIA_TYPE"]);
    expect(answer.headers.get("accept-encoding")).toBe("gzip, deflate, br, identity");
  });

  test.each([
    ["plain JSON that is called gzip", Buffer.from(JSON_BODY), "gzip"],
    ["gzip that is called brotli", gzipSync(JSON_BODY), "br"],
    ["gzip that is cut off", gzipSync(JSON_BODY).subarray(0, -6), "gzip"],
  ])("%s is malformed", async (_what, bytes, coding) => {
    const answer = await deposit(bytes, { "content-encoding": coding });
    expect([answer.status, answer.body["code"]]).toEqual([400, "MALFORMED_JSON"]);
    expect(answer.body["detail"]).toContain("Content-Encoding");
  });

  test.each([
    ["gzip", gzipSync],
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ] as const)("%s that says more than a body may have is refused, and costs no more than one", async (coding, encode) => {
    const bomb = encode(Buffer.alloc(60_000_000, " "));
    expect(bomb.length).toBeLessThan(TEST_SETTINGS.maxBodyBytes);
    const before = process.memoryUsage().arrayBuffers;
    const answers = await Promise.all(Array.from({ length: 20 }, () => deposit(bomb, { "content-encoding": coding })));
    expect(new Set(answers.map(({ status, body }) => `${status} ${String(body["code"])}`))).toEqual(new Set(["413 PAYLOAD_TOO_LARGE"]));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(60_000_000);
  });

  test("a body of exactly the limit is read, whatever its coding", async () => {
    const padded = `{"amount":"1","comment":"${"x".repeat(100)}"}`.padEnd(TEST_SETTINGS.maxBodyBytes, " ");
    expect((await deposit(gzipSync(padded), { "content-encoding": "gzip" })).status).toBe(201);
    expect((await deposit(gzipSync(`${padded} `), { "content-encoding": "gzip" })).status).toBe(413);
  });
});
