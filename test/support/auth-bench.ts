import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { expect, inject } from "vitest";
import { createTestApi, type TestAnswer, type TestApi } from "./http-api.ts";
import { createRealIdentities, type RealIdentities } from "./real-identity.ts";
import { createTestDatabase, type TestDatabase } from "./test-database.ts";

export const PASSWORD = "correct horse battery";

/** The API with real tokens, sessions and passwords, over a database of its own and the Redis of the run. */
export interface AuthBench {
  readonly database: TestDatabase;
  readonly identities: RealIdentities;
  readonly api: TestApi;
  /** The database with the superuser's rights. */
  readonly sql: postgres.Sql;
  /** What the API logged, with the message among the fields. */
  readonly lines: object[];
  close(): Promise<void>;
}

/** Opens the bench. */
export async function openAuthBench(): Promise<AuthBench> {
  const lines: object[] = [];
  const note = (fields: object, message: string) => void lines.push({ ...fields, message });
  const log = { debug: note, info: note, warn: note, error: note };
  const [database, identities] = await Promise.all([createTestDatabase(), createRealIdentities()]);
  const opened = await identities.open({ databaseUrl: database.appUrl, redisUrl: inject("redisUrl"), log });
  const api = createTestApi({ databaseUrl: database.appUrl, authenticator: opened.authenticator, identity: opened.identity, log });
  const sql = postgres(database.adminUrl, { max: 1, onnotice: () => undefined });
  return {
    database,
    identities,
    api,
    sql,
    lines,
    async close() {
      await sql.end();
      await api.close();
      await identities.close();
      await database.drop();
    },
  };
}

/** A login that nobody has. */
export function newLogin(): string {
  return `user-${randomUUID()}`;
}

/** The token as a header. */
export function bearer(token: unknown): { readonly authorization: string } {
  return { authorization: `Bearer ${String(token)}` };
}

/** The answer's body without what differs between two answers that are the same. */
export function withoutIds({ body }: TestAnswer): Record<string, unknown> {
  return { ...body, correlationId: "" };
}

/** The requests of users to the bench's API. */
export function createAuthClient(bench: () => Pick<AuthBench, "api" | "sql">) {
  const post = (path: string, body?: unknown, headers: Record<string, string> = {}) =>
    bench().api.call("POST", `/api/v1/auth/${path}`, { ...(body === undefined ? {} : { body }), headers, key: null });
  const me = (headers: Record<string, string>) => bench().api.call("GET", "/api/v1/auth/me", { headers });

  async function registered(): Promise<{ login: string; userId: string }> {
    const login = newLogin();
    const { status, body } = await post("register", { login, password: PASSWORD });
    expect(status).toBe(201);
    return { login, userId: String(body["userId"]) };
  }

  async function loggedIn(): Promise<{ login: string; userId: string; accessToken: string; refreshToken: string }> {
    const user = await registered();
    const { status, body } = await post("login", { login: user.login, password: PASSWORD });
    expect(status).toBe(200);
    return { ...user, accessToken: String(body["accessToken"]), refreshToken: String(body["refreshToken"]) };
  }

  return { post, me, registered, loggedIn };
}
