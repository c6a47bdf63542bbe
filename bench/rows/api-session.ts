import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { auditDatabase } from "../system/database.ts";
import type { RawAnswer } from "../system/http-answer.ts";
import { createHttpPool, type RawRequest } from "../system/http-pool.ts";
import type { MeasuredSystem } from "../system/measured-system.ts";
import { settleOutbox } from "./settle.ts";

/** A client of the measured API with funded users, and a reader of its database. */
export interface ApiSession {
  send(request: RawRequest): Promise<RawAnswer>;
  /**
   * Sends and returns the parsed body. A 503 is a slow system and not a wrong one: the same request is sent again, as an honest client does.
   * Throws: Error when the answer has another status, or is 503 for a minute.
   */
  expect(status: number, request: RawRequest): Promise<unknown>;
  /** What there is to say about the answers until now, in whole sentences. */
  notes(): string[];
  /** Posts under a new Idempotency-Key. */
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): RawRequest;
  /** The next of the funded users, in turn. */
  nextUser(): string;
  /** One number that a query answers with. */
  count(query: string): Promise<number>;
  /** Waits for some time until every message of the outbox was published, so that the next measurement does not pay for this one's. */
  settle(): Promise<void>;
  audit(): Promise<void>;
  close(): Promise<void>;
}

export const SERVICE = "bench-service";
export const PRICE = "1.00";
export const PRICE_MINOR = 100;
const USERS = 200;
const FUNDS = "9000000";
const DEADLINE_MS = 60_000;
const MAX_PAUSE_MS = 2_000;

/** Opens a session with a service of its own and users that nobody else uses. */
export async function openApiSession(system: MeasuredSystem, name: string): Promise<ApiSession> {
  const pool = createHttpPool(system.apiUrl, { headers: { authorization: `Bearer ${system.token}` }, deadlineMs: DEADLINE_MS });
  const database = createDatabase({ url: system.databaseUrl, name: `bench-${name}`, laneCount: 1, deadlineMs: DEADLINE_MS });
  const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): RawRequest => ({
    method: "POST",
    path,
    body,
    headers: { "idempotency-key": randomUUID(), ...headers },
  });
  let sentAgain = 0;
  const persist = async (request: RawRequest): Promise<RawAnswer> => {
    for (const endsAtMs = performance.now() + DEADLINE_MS; ;) {
      const answer = await pool.send(request);
      if (answer.status !== 503 || performance.now() > endsAtMs) return answer;
      sentAgain += 1;
      await sleep(Math.min(1_000 * Number(answer.headers["retry-after"] ?? 1), MAX_PAUSE_MS));
    }
  };
  const expect = async (status: number, request: RawRequest) => {
    const answer = await persist(request);
    if (answer.status !== status)
      throw new Error(`${request.method} ${request.path} answered ${answer.status}: ${answer.body.slice(0, 500)}`);
    return JSON.parse(answer.body) as unknown;
  };
  const users = Array.from({ length: USERS }, (_, place) => `bench-${name}-${place}`);
  await expect(201, post("/api/v1/services", { id: serviceOf(name), name: `Benchmark ${name}` }));
  await Promise.all(users.map((user) => expect(201, post(`/api/v1/balances/${user}/deposits`, { amount: FUNDS }))));
  let turn = 0;
  return {
    notes: () => (sentAgain === 0 ? [] : [`${sentAgain} requests were answered 503 and sent again with the same key.`]),
    send: (request) => pool.send(request),
    expect,
    post,
    nextUser() {
      turn += 1;
      return users[turn % USERS] ?? "";
    },
    async count(query) {
      const [row] = await database.db.execute<{ found: string }>(sql.raw(query));
      return Number(row?.found ?? 0);
    },
    settle: () => settleOutbox(database.db),
    audit: () => auditDatabase(system.databaseUrl),
    async close() {
      pool.close();
      await database.close();
    },
  };
}

/** The service of a session. */
export function serviceOf(name: string): string {
  return `${SERVICE}-${name}`;
}
