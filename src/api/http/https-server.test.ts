import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request, Agent, type RequestOptions } from "node:https";
import { connect as connectPlain } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { OpenAPIHono } from "@hono/zod-openapi";
import { streamText } from "hono/streaming";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { deferred } from "../../../test/support/deferred.ts";
import { makeThrowawayCa, type ThrowawayCa } from "../../../test/support/throwaway-ca.ts";
import { until } from "../../../test/support/until.ts";
import type { Log } from "../../adapters/log.ts";
import type { ApiEnv } from "../api-env.ts";
import { createClientAddresses } from "./client-address.ts";
import { listen, type HttpServer } from "./http-server.ts";

const folder = mkdtempSync(join(tmpdir(), "saldo-https-"));
const told: Record<string, unknown>[] = [];
const note = (fields: Record<string, unknown>) => void told.push(fields);
const log = { debug: note, info: note, warn: note, error: note } as unknown as Log;
const certPath = join(folder, "cert.pem");
const keyPath = join(folder, "key.pem");
const gate = deferred();
const addresses = createClientAddresses([]);
const app = new OpenAPIHono<ApiEnv>();
app.get("/here", (context) => context.text("here"));
app.get("/secure", (context) => context.text(String(addresses.isSecure(context))));
app.get("/slow", (context) =>
  streamText(context, async (stream) => {
    await stream.write("first ");
    await gate.promise;
    await stream.write("last");
  }),
);
let server: HttpServer | undefined;
let authority: ThrowawayCa;

function put(name: string, keyOf = name): void {
  copyFileSync(join(folder, `${name}.pem`), certPath);
  copyFileSync(join(folder, `${keyOf}.key`), keyPath);
}

beforeAll(async () => {
  authority = await makeThrowawayCa(folder);
  for (const commonName of ["one", "two"]) await authority.issue(commonName, { commonName, names: ["localhost", "127.0.0.1"] });
});

afterEach(async () => {
  await server?.close(500);
  server = undefined;
  told.length = 0;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = async () => (server = await listen(app, { host: "127.0.0.1", port: 0, https: { certPath, keyPath, log, lookEveryMs: 50 } }));

async function openTls(options: { maxVersion?: "TLSv1.1" | "TLSv1.2"; minVersion?: "TLSv1" } = {}): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port: server?.port ?? 0, rejectUnauthorized: false, ...options });
  await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  return socket;
}
const nameServed = async () => {
  const socket = await openTls();
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
};

function get(path: string, options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", port: server?.port, path, ...options }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(text));
      response.on("error", reject);
    });
    asking.on("error", reject).end();
  });
}

it("serves a client that knows the authority, and speaks nothing older than TLS 1.2 and nothing in the open", async () => {
  put("one");
  await start();
  const ca = readFileSync(authority.ca);
  expect(await get("/here", { ca })).toBe("here");
  expect(await get("/secure", { ca })).toBe("true");
  await expect(get("/here", {})).rejects.toThrow(/unable to verify/);
  await expect(openTls({ minVersion: "TLSv1", maxVersion: "TLSv1.1" })).rejects.toThrow(/SSL|protocol|disconnected/);
  const socket = await openTls({ maxVersion: "TLSv1.2" });
  expect(socket.getProtocol()).toBe("TLSv1.2");
  socket.destroy();
  const words = await new Promise<string>((resolve) => {
    let text = "";
    const plain = connectPlain({ host: "127.0.0.1", port: server?.port ?? 0 }, () =>
      plain.write("GET /here HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    );
    plain.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    plain.on("close", () => resolve(text)).on("error", () => undefined);
  });
  expect(words).not.toContain("here");
  expect(await get("/here", { ca })).toBe("here");
});

it("answers pipelined requests of one connection in their order, and a request that is none in words", async () => {
  put("one");
  await start();
  const asked = async (words: string) => {
    const socket = await openTls();
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    socket.write(words);
    await new Promise((resolve) => socket.once("close", resolve));
    return text;
  };
  const two = await asked(
    "GET /here HTTP/1.1\r\nhost: localhost\r\n\r\nGET /nowhere HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
  );
  expect(two.match(/HTTP\/1\.1 \d{3}/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 404"]);
  expect(await asked("GET /here HTTP/1.1\r\nno header\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 .*urn:saldo:error:INVALID_REQUEST/s);
});

it("serves a renewed certificate without cutting what is open, and keeps it when the next one is broken", async () => {
  put("one");
  await start();
  const agent = new Agent({ keepAlive: true });
  const ca = readFileSync(authority.ca);
  expect(await get("/here", { ca, agent })).toBe("here");
  const slow = get("/slow", { ca, agent });
  put("two");
  await until("the new one is served", async () => (await nameServed()) === "two");
  gate.resolve();
  expect(await slow).toBe("first last");
  expect(told).toMatchObject([{ event: "https.certificate", validTo: expect.any(String) as string }]);

  put("two", "one");
  await until("it is told of", () => told.length > 1);
  expect(told[1]).toMatchObject({ reason: expect.stringMatching(/cannot be used together/) as string });
  writeFileSync(certPath, "nonsense");
  await until("that too", () => told.length > 2);
  expect(await nameServed()).toBe("two");
  put("one");
  await until("the good one is served", async () => (await nameServed()) === "one");
  expect(told).toHaveLength(4);
  agent.destroy();
});

it("ends within its grace beside a connection that never agreed on TLS, and beside one that did", async () => {
  put("one");
  await start();
  const silent = connectPlain({ host: "127.0.0.1", port: server?.port ?? 0 });
  const half = connectPlain({ host: "127.0.0.1", port: server?.port ?? 0 });
  const ends = [silent, half].map((socket) => new Promise((resolve) => socket.on("error", () => undefined).once("close", resolve)));
  // The head of a record of TLS, and nothing of its content.
  await new Promise<void>((resolve) => half.write(Buffer.from([22, 3, 1, 2, 0, 1]), () => resolve()));
  const agreed = await openTls();
  const closed = server?.close(200);
  // Without the grace they would be waited for until the handshake's own timeout of ten seconds.
  const tooLate = new Promise((resolve) => setTimeout(resolve, 5_000, "too late").unref());
  expect(await Promise.race([closed, tooLate])).toBeUndefined();
  await Promise.all(ends);
  agreed.destroy();
});

it("does not start with a key of another certificate, or without a file, and says so in a sentence", async () => {
  put("one", "two");
  await expect(start()).rejects.toThrow(new RegExp(`^The certificate ${certPath} and the key ${keyPath} cannot be used together: .+\\.$`));
  rmSync(keyPath);
  await expect(start()).rejects.toThrow(new RegExp(`^The server's key ${keyPath} cannot be read: ENOENT.+\\.$`));
});
