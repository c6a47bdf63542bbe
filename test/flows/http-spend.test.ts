import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const CLIENTS = 64;
const REQUESTS = 2_000;

let database: TestDatabase;
let api: TestApi;
let server: HttpServer;
let agent: Agent;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
  server = await listen(api.app, { host: "127.0.0.1", port: 0 });
  agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
});

afterAll(async () => {
  agent.destroy();
  await server.close(1_000);
  await api.close();
  await database.drop();
});

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
}

function post(path: string, body: unknown): Promise<Answer> {
  const payload = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port: server.port,
        path,
        method: "POST",
        agent,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(payload), "idempotency-key": randomUUID() },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          const { code } = JSON.parse(Buffer.concat(parts).toString("utf8")) as { code?: string };
          resolve({ status: response.statusCode ?? 0, code });
        });
      },
    );
    sent.on("error", reject);
    sent.end(payload);
  });
}

/** Sends them from so many clients at once, each with one request at a time. */
async function fromClients(count: number, send: () => Promise<Answer>): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let left = count;
  const client = async () => {
    while (left > 0) {
      left -= 1;
      const { status, code } = await send();
      const outcome = code === undefined ? String(status) : `${status} ${code}`;
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return counts;
}

const available = async (user: string) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body["available"];

describe("one balance under many clients", () => {
  test("64 clients spend 1,000.00 by 1.00 in 2,000 requests: 1,000 have it, 1,000 are refused, and nothing is left", async () => {
    await post("/api/v1/balances/spender/deposits", { amount: "1000.00" });
    const counts = await fromClients(REQUESTS, () => post("/api/v1/balances/spender/withdrawals", { amount: "1.00" }));
    expect(Object.fromEntries(counts)).toEqual({ "201": 1_000, "422 INSUFFICIENT_FUNDS": 1_000 });
    expect(await available("spender")).toBe("0.00");
  });

  test("2,000 deposits to one account from 64 clients all arrive", async () => {
    const counts = await fromClients(REQUESTS, () => post("/api/v1/balances/saver/deposits", { amount: "1.00" }));
    expect(Object.fromEntries(counts)).toEqual({ "201": REQUESTS });
    expect(await available("saver")).toBe("2000.00");
    expect(await auditBooks(api.db)).toMatchObject({ ok: true });
  });
});
