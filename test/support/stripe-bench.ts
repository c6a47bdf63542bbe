import { createHmac } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, request, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import type { HttpPsp } from "../../src/adapters/psp/psp-http.ts";
import { createStripePsp, type StripePspOptions } from "../../src/adapters/psp/stripe/psp-stripe.ts";
import type { PaymentReferences } from "../../src/adapters/psp/stripe/stripe-payments.ts";
import { freePort } from "../../src/stack/free-port.ts";
import type { ServerProcess } from "../../src/stack/processes/process.ts";
import { startLocalstripe } from "../../src/stack/servers/localstripe.ts";
import { startStripeMock } from "../../src/stack/servers/stripe-mock.ts";

export const STRIPE_KEY = "sk_test_0123456789abcdef";

/** A program that plays Stripe. */
export interface StripeDouble {
  readonly url: string;
  /** What it has at the path, such as `/v1/refunds?limit=100`, as the key's owner. */
  get(path: string): Promise<Record<string, unknown>>;
  post(path: string, body: object): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

type Start = (options: { cacheDir: string; dataDir: string; port: number }) => Promise<ServerProcess | undefined>;

async function startDouble(name: string, start: Start): Promise<StripeDouble | undefined> {
  const dataDir = await mkdtemp(join(tmpdir(), `saldo-test-${process.pid}-${name}-`));
  const port = await freePort();
  const server = await start({ cacheDir: inject("cacheDir"), dataDir, port });
  if (server === undefined) {
    await rm(dataDir, { recursive: true, force: true });
    if (process.env["SALDO_REQUIRE_STRIPE_DOUBLES"] === "1") throw new Error(`${name} is required here and cannot be had`);
    console.warn(`What needs ${name} is not tested: it is not installed, and there is nothing to install it with.`);
    return undefined;
  }
  const url = `http://127.0.0.1:${port}`;
  const headers = { authorization: `Bearer ${STRIPE_KEY}` };
  const asJson = async (response: Response) => (await response.json()) as Record<string, unknown>;
  return {
    url,
    get: async (path) => asJson(await fetch(new URL(path, url), { headers })),
    post: async (path, body) => {
      const response = await fetch(new URL(path, url), {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    },
    async stop() {
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** stripe-mock, for the form of requests; undefined where it cannot be had. */
export const openStripeMock = (): Promise<StripeDouble | undefined> => startDouble("stripe-mock", startStripeMock);

/** localstripe, for the states of payments; undefined where it cannot be had. */
export const openLocalstripe = (): Promise<StripeDouble | undefined> => startDouble("localstripe", startLocalstripe);

/** What stood between Saldo and Stripe saw of a request. */
export interface SeenCall {
  readonly method: string;
  /** Without ids: `POST /v1/payment_intents/{id}/confirm`. */
  readonly name: string;
  readonly key: string | undefined;
  readonly version: string | undefined;
}

/** What becomes of a call: `before` it is cut off before Stripe has it, `after` Stripe has done it and its answer is lost. */
export type CallFault = "before" | "after" | { readonly status: number; readonly error: object; readonly headers?: Record<string, string> };

/** A line between Saldo and Stripe that can be cut. Stripe's program here knows no Idempotency-Key, so nothing hides a second charge. */
export interface StripeLine {
  readonly url: string;
  readonly calls: readonly SeenCall[];
  /** What Stripe answered. */
  readonly answers: readonly { readonly name: string; readonly status: number }[];
  /** The next calls of this name meet this fault. */
  fail(name: string, fault: CallFault, times?: number): void;
  /** From now on every call goes through. */
  mend(): void;
  /** Called for each request before it is passed on. */
  onCall: ((call: SeenCall, place: "before" | "after") => void | Promise<void>) | undefined;
  close(): Promise<void>;
}

/** Opens a line to `target`. */
export async function openStripeLine(target: string): Promise<StripeLine> {
  const calls: SeenCall[] = [];
  const answers: { name: string; status: number }[] = [];
  const faults: { name: string; fault: CallFault; left: number }[] = [];
  const line: { onCall: StripeLine["onCall"] } = { onCall: undefined };
  const server = createServer((incoming, outgoing) => {
    const pass = async () => {
      const body = await readAll(incoming);
      const call = seen(incoming);
      calls.push(call);
      const planned = faults.find(({ name, left }) => name === call.name && left > 0);
      if (planned !== undefined) planned.left -= 1;
      const fault = planned?.fault;
      await line.onCall?.(call, "before");
      if (fault === "before") return void outgoing.destroy();
      if (fault !== undefined && fault !== "after") {
        outgoing.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
        return void outgoing.end(JSON.stringify({ error: fault.error }));
      }
      const { status, type, answer } = await forward(target, incoming, body);
      answers.push({ name: call.name, status });
      await line.onCall?.(call, "after");
      if (fault === "after") return void outgoing.destroy();
      outgoing.writeHead(status, { "content-type": type });
      outgoing.end(answer);
    };
    pass().catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(line, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    answers,
    mend: () => void faults.splice(0),
    fail: (name: string, fault: CallFault, times = 1) => void faults.push({ name, fault, left: times }),
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function seen({ method = "", url = "", headers }: IncomingMessage): SeenCall {
  const path = (url.split("?")[0] ?? "").replaceAll(/\/(?:pi|pm|re|ch)_\w+/g, "/{id}");
  const one = (name: string) => [headers[name]].flat()[0];
  return { method, name: `${method} ${path}`, key: one("idempotency-key"), version: one("stripe-version") };
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function forward(target: string, { method, url, headers }: IncomingMessage, body: Buffer) {
  return new Promise<{ status: number; type: string; answer: Buffer }>((resolve, reject) => {
    const sending = request(new URL(url ?? "/", target), { method, headers: { ...headers, host: new URL(target).host } }, (response) => {
      readAll(response).then(
        (answer) => resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "application/json", answer }),
        reject,
      );
    });
    sending.once("error", reject);
    sending.end(body);
  });
}

/** A body signed as Stripe signs its events. */
export function signEvent(body: string, secret: string, atMs: number = Date.now()): string {
  const seconds = Math.floor(atMs / 1_000);
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}

/** References in memory. */
export function createReferences(): PaymentReferences & { readonly kept: Map<string, string | null> } {
  const kept = new Map<string, string | null>();
  return {
    kept,
    find: async (orderId) => kept.get(orderId),
    async keep(orderId, reference) {
      if (!kept.has(orderId)) kept.set(orderId, reference);
      return kept.get(orderId) ?? null;
    },
  };
}

/** Saldo's adapter at that address, whose waits pass at once. */
export function connectStripe(url: string, options: Partial<StripePspOptions> = {}): HttpPsp {
  return createStripePsp({
    url,
    secretKey: STRIPE_KEY,
    references: createReferences(),
    deployment: async () => "d0000001",
    rawCards: "allow",
    timeoutMs: 10_000,
    logger: SILENT_LOG,
    random: () => 0.5,
    sleep: async () => {},
    ...options,
  });
}
