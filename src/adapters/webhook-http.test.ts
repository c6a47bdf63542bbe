import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { endsSoonerThan } from "../../test/support/ends-sooner.ts";
import { createWebhookSender, signWebhook, type WebhookSenderOptions } from "./webhook-http.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const received: { url: string; headers: IncomingHttpHeaders; body: string }[] = [];
let answer: (path: string) => { status: number; headers?: Record<string, string>; body?: string; hang?: boolean } = () => ({ status: 204 });
let port = 0;
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    received.push({ url: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks).toString() });
    const { status, headers, body, hang } = answer(request.url ?? "");
    if (hang !== true) response.writeHead(status, headers).end(body);
  });
});

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  received.length = 0;
  answer = () => ({ status: 204 });
});

const sender = (change: Partial<WebhookSenderOptions> = {}) =>
  createWebhookSender({
    mayConnectTo: () => true,
    allowHttp: true,
    timeoutMs: 2_000,
    userAgent: "test",
    nowMs: () => 1_614_265_330_999,
    ...change,
  });
const to = (url: string) => ({ url, id: "outbox/7", body: '{"a":"ä"}', secrets: [SECRET] });
const here = (path = "/hook") => `http://127.0.0.1:${port}${path}`;
const resolvesTo = (...addresses: string[]) =>
  ((_name: string, _options: object, done: (error: null, found: { address: string; family: number }[]) => void) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    )) as unknown as NonNullable<WebhookSenderOptions["resolve"]>;

describe("the signature", () => {
  it("is that of the convention's own example", () => {
    expect(
      signWebhook({ id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: '{"test": 2432232314}', secrets: [SECRET] }),
    ).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it("stands once for each secret while one is being changed", () => {
    const [first, second] = signWebhook({ id: "m", timestamp: 1, body: "", secrets: [SECRET, "whsec_AAAA"] }).split(" ");
    expect(first).toBe(signWebhook({ id: "m", timestamp: 1, body: "", secrets: [SECRET] }));
    expect(second).toBe(signWebhook({ id: "m", timestamp: 1, body: "", secrets: ["whsec_AAAA"] }));
  });
});

describe("a webhook's message", () => {
  it("arrives with headers that sign its very bytes", async () => {
    expect(await sender().send(to(here()))).toEqual({ status: 204, error: undefined });
    const [message] = received;
    const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature } = message?.headers ?? {};
    const key = Buffer.from("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "base64");
    const content = `${String(id)}.${String(timestamp)}.${message?.body ?? ""}`;
    expect(signature).toBe(`v1,${createHmac("sha256", key).update(content, "utf8").digest("base64")}`);
    expect([id, timestamp, message?.body]).toEqual(["outbox/7", "1614265330", '{"a":"ä"}']);
    expect(message?.headers["content-type"]).toBe("application/json");
  });

  it("goes nowhere else when it is answered with a redirect", async () => {
    answer = () => ({ status: 307, headers: { location: here("/elsewhere") } });
    expect(await sender().send(to(here()))).toEqual({ status: 307, error: undefined });
    expect(received).toHaveLength(1);
  });

  it("waits for an answer only so long", async () => {
    answer = () => ({ status: 200, hang: true });
    expect(await sender({ timeoutMs: 200 }).send(to(here()))).toEqual({
      status: undefined,
      error: "the receiver did not answer within 0.2 s",
    });
  });

  it("is not kept busy by an answer without an end", async () => {
    answer = () => ({ status: 200, body: "x".repeat(10_000_000) });
    expect(await sender().send(to(here()))).toEqual({ status: 200, error: undefined });
  });

  it.each([
    ["switches to another protocol", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 101],
    ["ends nothing of its answer", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", 200],
    ["has more to say for ever", "HTTP/1.1 100 Continue\r\n\r\n", undefined],
  ])("is an attempt like any other where the receiver %s, and leaves no connection", async (_name, answered, status) => {
    const gone: Promise<void>[] = [];
    const raw = createTcpServer((socket: Socket) => {
      gone.push(new Promise((done) => void socket.on("error", () => {}).on("close", done)));
      socket.once("data", () => socket.write(answered));
    });
    await new Promise<void>((done) => raw.listen(0, "127.0.0.1", done));
    const sending = sender({ timeoutMs: 300 }).send(to(`http://127.0.0.1:${(raw.address() as AddressInfo).port}/`));
    expect(await endsSoonerThan(2_000, () => sending)).toBe(true);
    const { status: seen, error } = await sending;
    expect(seen).toBe(status);
    expect(error).toBe(status === undefined ? "the receiver did not answer within 0.3 s" : undefined);
    await Promise.all(gone);
    expect(gone).toHaveLength(1);
    raw.close();
  });

  it.each<[string, string, (socket: Socket) => void, object]>([
    ["leaves its body open", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", () => {}, { status: 200 }],
    [
      "resets the connection in its body",
      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc",
      (socket) => socket.resetAndDestroy(),
      { status: 200 },
    ],
    ["breaks its chunks", "HTTP/1.1 204 No Content\r\n\r\n\x00garbage", () => {}, { status: 204 }],
    ["sends a body that never ends", "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", () => {}, { status: 202 }],
    [
      "refuses and leaves its body open",
      "HTTP/1.1 503 Later\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n",
      () => {},
      { status: 503, retryAfter: "7" },
    ],
  ])("is answered by the status alone where the receiver %s", async (_name, head, after, expected) => {
    const raw = createTcpServer((socket: Socket) => {
      socket.on("error", () => {});
      socket.once("data", () => socket.write(head, () => setTimeout(() => after(socket), 20)));
    });
    await new Promise<void>((done) => raw.listen(0, "127.0.0.1", done));
    const sending = sender({ timeoutMs: 30_000 }).send(to(`http://127.0.0.1:${(raw.address() as AddressInfo).port}/`));
    expect(await endsSoonerThan(900, () => sending)).toBe(true);
    expect(await sending).toEqual({ ...expected, error: undefined });
    raw.close();
  });

  it("is an attempt like any other where the name takes too long to resolve", async () => {
    const never = (() => {}) as unknown as NonNullable<WebhookSenderOptions["resolve"]>;
    expect(await sender({ timeoutMs: 100, resolve: never }).send(to(`http://slow.example:${port}/`))).toEqual({
      status: undefined,
      error: "the receiver did not answer within 0.1 s",
    });
  });

  it("tells that nobody is there", async () => {
    expect(await sender().send(to("http://127.0.0.1:1/"))).toEqual({
      status: undefined,
      error: "the receiver could not be reached (ECONNREFUSED)",
    });
  });
});

describe("a webhook's message never reaches", () => {
  const notLoopback = (address: string) => address !== "127.0.0.1";
  const nothingArrives = async (url: string, change: Partial<WebhookSenderOptions>) => {
    const { status, error } = await sender({ mayConnectTo: notLoopback, ...change }).send(to(url));
    expect(status).toBeUndefined();
    expect(error).toMatch(/events are (?:not )?sent/);
    expect(received).toEqual([]);
  };

  it.each(["127.0.0.1", "2130706433", "0x7f.1", "127.1", "0177.0.0.1"])("a forbidden address written as %s", async (host) => {
    await nothingArrives(`http://${host}:${port}/`, {});
  });

  it("a name that resolves to a forbidden address", async () => {
    await nothingArrives(`http://rebind.example:${port}/`, { resolve: resolvesTo("127.0.0.1") });
  });

  it("a name that resolves to a forbidden address among others", async () => {
    await nothingArrives(`http://rebind.example:${port}/`, { resolve: resolvesTo("93.184.216.34", "127.0.0.1") });
  });

  it("an address that the system connected to in spite of the check", async () => {
    let asked = 0;
    const onlyOnce = () => {
      asked += 1;
      return asked === 1;
    };
    await nothingArrives(here(), { mayConnectTo: onlyOnce });
  });

  it("an address without TLS where that is not allowed", async () => {
    await nothingArrives(here(), { mayConnectTo: () => true, allowHttp: false });
  });
});
