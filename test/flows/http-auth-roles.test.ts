import { randomUUID } from "node:crypto";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bearer, createAuthClient, openAuthBench, PASSWORD, type AuthBench } from "../support/auth-bench.ts";
import type { TestAnswer, TestApi } from "../support/http-api.ts";
import type { RealIdentities } from "../support/real-identity.ts";
import type { TestDatabase } from "../support/test-database.ts";
import { untilBlocked } from "../support/until-blocked.ts";
import { until } from "../support/until.ts";

let bench: AuthBench;
let database: TestDatabase;
let identities: RealIdentities;
let api: TestApi;
let sql: postgres.Sql;

beforeAll(async () => {
  bench = await openAuthBench();
  ({ database, identities, api, sql } = bench);
});

afterAll(() => bench.close());

const { post, me, registered, loggedIn } = createAuthClient(() => bench);

describe("roles", () => {
  it("are changed by an admin, which ends the user's sessions and is noted", async () => {
    const user = await loggedIn();
    const admin = await identities.bearer("ops", ["admin"]);
    const change = (roles: string[], headers: Record<string, string>, userId = user.userId) =>
      api.call("PUT", `/api/v1/auth/users/${userId}/roles`, { body: { roles, reason: "new job" }, headers, key: null });
    for (const headers of [bearer(user.accessToken), await identities.bearer("shop", ["service"])])
      expect((await change(["admin"], headers)).status).toBe(403);
    expect((await change(["admin"], admin, "nobody")).body["code"]).toBe("USER_NOT_FOUND");
    expect((await change(["root"], admin)).status).toBe(400);
    const { status, body } = await change(["service", "user"], admin);
    expect([status, body["roles"]]).toEqual([200, ["user", "service"]]);
    expect((await me(bearer(user.accessToken))).status).toBe(401);
    const { body: session } = await post("login", { login: user.login, password: PASSWORD });
    expect(session["roles"]).toEqual(["user", "service"]);
    expect((await change(["user", "service"], admin)).status).toBe(200);
    expect((await me(bearer(session["accessToken"]))).status).toBe(200);
    const noted = await sql`select actor, act, reason, details from acts where subject_id = ${user.userId} and subject_type = 'user'`;
    expect(noted).toEqual([{ actor: "ops", act: "user.roles", reason: "new job", details: { from: "user", to: "user service" } }]);
  });

  it("are those of the moment the session opens, when they change while the password is being checked", async () => {
    const user = await registered();
    const other = postgres(database.adminUrl, { max: 1, onnotice: () => undefined });
    try {
      let login: Promise<TestAnswer> | undefined;
      await other.begin(async (change) => {
        await change`update users set roles = array['service'] where id = ${user.userId}`;
        login = post("login", { login: user.login, password: PASSWORD });
        await untilBlocked(sql);
      });
      const { status, body } = (await login) as TestAnswer;
      expect([status, body["roles"]]).toEqual([200, ["service"]]);
      expect((await me(bearer(body["accessToken"]))).body["roles"]).toEqual(["service"]);
    } finally {
      await other.end();
    }
  });

  it("refuse a login of a user who is deleted while the password is being checked", async () => {
    const user = await registered();
    const other = postgres(database.adminUrl, { max: 1, onnotice: () => undefined });
    try {
      let login: Promise<TestAnswer> | undefined;
      await other.begin(async (change) => {
        await change`update users set disabled_at = now() where id = ${user.userId}`;
        login = post("login", { login: user.login, password: PASSWORD });
        await untilBlocked(sql);
      });
      expect(((await login) as TestAnswer).body["code"]).toBe("INVALID_CREDENTIALS");
      expect(await sql`select id from sessions where user_id = ${user.userId}`).toEqual([]);
    } finally {
      await other.end();
    }
  });

  it("that change end a session which is opened while the change waits", async () => {
    const user = await registered();
    const other = postgres(database.adminUrl, { max: 1, onnotice: () => undefined });
    try {
      let change: Promise<TestAnswer> | undefined;
      const sessionId = randomUUID();
      await other.begin(async (login) => {
        await login`select from users where id = ${user.userId} for share`;
        const headers = await identities.bearer("ops", ["admin"]);
        change = api.call("PUT", `/api/v1/auth/users/${user.userId}/roles`, { body: { roles: ["service"] }, headers, key: null });
        await untilBlocked(sql);
        await login`insert into sessions (id, user_id, created_at, expires_at) values (${sessionId}, ${user.userId}, clock_timestamp(), now() + interval '1 day')`;
      });
      expect(((await change) as TestAnswer).status).toBe(200);
      expect(await sql`select revoked_at is not null as ended from sessions where id = ${sessionId}`).toEqual([{ ended: true }]);
    } finally {
      await other.end();
    }
  });

  it("decide who may call: a user sees their own data only, and a denied admin route is noted", async () => {
    const user = await loggedIn();
    const headers = bearer(user.accessToken);
    expect((await api.call("GET", `/api/v1/balances/${user.userId}`, { headers })).status).toBe(200);
    expect((await api.call("GET", "/api/v1/balances/someone-else", { headers })).status).toBe(404);
    const deposit = { body: { amount: "1.00" }, headers };
    expect((await api.call("POST", `/api/v1/balances/${user.userId}/deposits`, deposit)).status).toBe(403);
    for (let time = 0; time < 3; time += 1) expect((await api.call("GET", "/api/v1/reports/revenue", { headers })).status).toBe(403);
    const noted = () => sql`select subject_id from acts where actor = ${user.userId} and act = 'access.denied'`;
    await until("the denial is noted", async () => (await noted()).length > 0);
    expect(await noted()).toHaveLength(1);
  });
});
