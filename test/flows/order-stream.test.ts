import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { DomainError } from "../../src/base/errors.ts";
import { createOrder } from "../../src/store/orders/orders.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

const ended = new Set<string>();
/** Tokens of this test are their subjects. */
const authenticator: Authenticator = {
  authenticate: async (authorization = "") => {
    const subject = authorization.replace("Bearer ", "");
    if (ended.has(subject)) throw new DomainError("UNAUTHENTICATED");
    return { subject, roles: ["service"] };
  },
};

let database: TestDatabase;
let api: TestApi;
let server: HttpServer;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({
    databaseUrl: database.appUrl,
    authenticator,
    settings: { streams: { perSubject: 2, inAll: 3 }, streamHeartbeatMs: 200 },
  });
  server = await listen(api.app, { host: "127.0.0.1", port: 0 });
  await createOrder(api.db, {
    orderId: "watched",
    workflowId: "order/watched",
    requestHash: "h",
    userId: "anna",
    currency: "RUB",
    paymentMethod: "wallet",
    totalMinor: "100",
    lines: [{ lineNo: 1, serviceId: "gig", quantity: 1, amountMinor: "100" }],
    comment: "for a test",
    caller: "shop",
    correlationId: "c",
  } as unknown as Parameters<typeof createOrder>[1]);
});

afterAll(async () => {
  await server.close(0);
  await api.close();
  await database.drop();
});

const open = (subject: string) => api.app.request("/api/v1/orders/watched/events", { headers: { authorization: `Bearer ${subject}` } });
const close = async (response: Response) => {
  await response.body?.cancel();
};

it("a stream ends within a heartbeat when its token has", async () => {
  const stream = await open("gone");
  expect(stream.status).toBe(200);
  const text = stream.text();
  ended.add("gone");
  const startedAtMs = performance.now();
  expect(await text).toContain("event: state");
  expect(performance.now() - startedAtMs).toBeLessThan(5_000);
});

it("a stream whose token holds goes on past its heartbeats", async () => {
  const stream = await open("stays");
  const reader = stream.body?.getReader();
  let text = "";
  while (!text.includes("still here")) text += Buffer.from((await reader?.read())?.value ?? []).toString();
  await reader?.cancel();
  expect(text).toContain("event: state");
});

it("nobody has more streams than their share, all together have an end, and a place is free again once its stream has ended", async () => {
  const streams = [await open("one"), await open("one")];
  const refused = await open("one");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  streams.push(await open("two"));
  expect((await open("three")).status).toBe(503);
  await Promise.all(streams.map(close));
  const again = await open("one");
  expect(again.status).toBe(200);
  await close(again);
});

it("an id that the stream never gave, as one of a later time, is none", async () => {
  const headers = { authorization: "Bearer later", "last-event-id": "999999999" };
  const stream = await api.app.request("/api/v1/orders/watched/events", { headers });
  const reader = stream.body?.getReader();
  let text = "";
  while (text.split("\n\n").length < 2) text += Buffer.from((await reader?.read())?.value ?? []).toString();
  await reader?.cancel();
  expect(text).toMatch(/^event: state\ndata: .*"version":"1"/);
});

describe("a stream ends as its client reads bodies", () => {
  const ask = (version: string, headers: string, subject: string) =>
    new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = connect(server.port, "127.0.0.1", () =>
        socket.write(`GET /api/v1/orders/watched/events HTTP/${version}\r\n${headers}Authorization: Bearer ${subject}\r\nHost: x\r\n\r\n`),
      );
      socket.on("data", (bytes: Buffer) => {
        text += bytes.toString();
        // The stream goes on for as long as its token holds.
        if (text.includes("event: state")) ended.add(subject);
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(text));
    });
  const headOf = (answer: string) => answer.slice(0, answer.indexOf("\r\n\r\n")).toLowerCase();

  it.each([
    ["1.0", "", "old"],
    ["1.0", "Connection: keep-alive\r\n", "old and patient"],
  ])("HTTP/%s (%j) gets no chunks, and the connection's end is the end", async (version, headers, subject) => {
    const answer = await ask(version, headers, subject);
    expect(headOf(answer)).not.toContain("transfer-encoding");
    expect(headOf(answer)).toContain("connection: close");
    expect(answer.slice(answer.indexOf("\r\n\r\n") + 4)).toMatch(/^event: state\ndata: /);
  });

  it("HTTP/1.1 with Connection: close gets chunks, and the connection is closed behind the last of them", async () => {
    const answer = await ask("1.1", "Connection: close\r\n", "leaving");
    expect(headOf(answer)).toContain("transfer-encoding: chunked");
    expect(headOf(answer)).toContain("connection: close");
    expect(headOf(answer)).toContain("cache-control: no-store");
    expect(answer.endsWith("0\r\n\r\n")).toBe(true);
  });
});

describe("the place of a stream is that of a body that is read", () => {
  const EVENTS = "/api/v1/orders/watched/events";
  const getAs = (subject: string) => `GET ${EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${subject}\r\n\r\n`;

  /** Opens and closes again as many streams as one subject may have; false while a place of theirs is taken. */
  async function hasAllPlaces(subject: string): Promise<boolean> {
    const streams = [await open(subject), await open(subject)];
    await Promise.all(streams.map(close));
    return streams.every(({ status }) => status === 200);
  }

  async function connected(): Promise<Socket> {
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    return socket;
  }

  async function untilAnswered(socket: Socket, part: string): Promise<void> {
    let text = "";
    socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
    await until(`${part} came`, () => Promise.resolve(text.includes(part)));
  }

  it("a HEAD takes none, and is answered with the headers of the stream", async () => {
    for (let count = 0; count < 5; count += 1) {
      const head = await fetch(`http://127.0.0.1:${server.port}${EVENTS}`, { method: "HEAD", headers: { authorization: "Bearer head" } });
      expect([head.status, head.headers.get("content-type"), head.headers.get("cache-control")]).toEqual([
        200,
        "text/event-stream",
        "no-store",
      ]);
    }
    expect(await hasAllPlaces("head")).toBe(true);
  });

  it("a cut connection gives back those of all requests that were sent on it", async () => {
    const socket = await connected();
    const first = untilAnswered(socket, "event: state");
    socket.write(getAs("piped").repeat(3));
    await first;
    socket.resetAndDestroy();
    await until("all places are free again", () => hasAllPlaces("piped"));
  });

  it("a client that is gone before its answer begins gives back its own", async () => {
    for (let count = 0; count < 4; count += 1) {
      const socket = await connected();
      socket.write(getAs("hasty"));
      await new Promise((resolve) => setTimeout(resolve, count));
      socket.resetAndDestroy();
    }
    await until("all places are free again", () => hasAllPlaces("hasty"));
  });

  it("a body that nobody reads gives it back after two heartbeats", async () => {
    const unread = [await open("unread"), await open("unread")];
    expect((await open("unread")).status).toBe(429);
    await until("all places are free again", () => hasAllPlaces("unread"));
    await Promise.all(unread.map(close));
  });
});
