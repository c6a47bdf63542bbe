import { randomUUID } from "node:crypto";
import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bearer, createAuthClient, newLogin, openAuthBench, PASSWORD, type AuthBench } from "../support/auth-bench.ts";
import type { TestApi } from "../support/http-api.ts";

const NEW_PASSWORD = "another long password";

let bench: AuthBench;
let api: TestApi;
let sql: postgres.Sql;
let admin: { authorization: string };

beforeAll(async () => {
  bench = await openAuthBench();
  ({ api, sql } = bench);
  admin = await bench.identities.bearer("ops", ["admin"]);
});

afterAll(() => bench.close());

const { post, me, loggedIn } = createAuthClient(() => bench);
const deposit = (userId: string) => api.call("POST", `/api/v1/balances/${userId}/deposits`, { body: { amount: "5" }, headers: admin });

async function deletedUser() {
  const user = await loggedIn();
  const deleted = await api.call("DELETE", `/api/v1/users/${user.userId}`, { headers: admin });
  expect(deleted).toMatchObject({ status: 200, body: { userId: user.userId, login: user.login, sessionsEnded: 1 } });
  expect(deleted.body["meaning"]).toMatch(/stays taken/);
  return user;
}

describe("a deleted user's login", () => {
  it("is nobody's for the asking: who registers by themselves is told that it is taken", async () => {
    const { login, userId } = await deletedUser();
    expect((await post("register", { login, password: NEW_PASSWORD })).body["code"]).toBe("LOGIN_TAKEN");
    expect(
      (await post("register", { login, password: NEW_PASSWORD, userId }, await bench.identities.bearer("shop", ["service"]))).status,
    ).toBe(403);
    expect((await post("login", { login, password: PASSWORD })).status).toBe(401);
  });

  it("is given back by an admin to the same id, with money that came back; what was before stays ended", async () => {
    const { login, userId, accessToken, refreshToken } = await deletedUser();
    await deposit(userId);
    const given = await post("register", { login, password: NEW_PASSWORD, userId, roles: ["user"] }, admin);
    expect([given.status, given.body]).toEqual([201, { userId, login, roles: ["user"] }]);

    expect((await post("login", { login, password: PASSWORD })).status).toBe(401);
    const { body: session } = await post("login", { login, password: NEW_PASSWORD });
    expect((await me(bearer(session["accessToken"]))).body).toMatchObject({ userId, login });
    const balance = await api.call("GET", `/api/v1/balances/${userId}?currency=RUB`, { headers: bearer(session["accessToken"]) });
    expect(balance.body["available"]).toBe("5.00");
    expect((await me(bearer(accessToken))).status).toBe(401);
    expect((await post("refresh", { refreshToken })).status).toBe(401);
    const acts = await sql`select actor, act, details from acts where subject_id = ${userId} and act <> 'login.failed' order by id`;
    expect(acts).toEqual([
      { actor: "ops", act: "user.deleted", details: {} },
      { actor: "ops", act: "user.login", details: { how: "again", of: "" } },
    ]);
  });

  it("is given by an admin to another id, which gets nothing of the deleted user", async () => {
    const { login, userId, accessToken } = await deletedUser();
    const heir = `external-${randomUUID()}`;
    expect((await post("register", { login, password: NEW_PASSWORD, userId: heir }, admin)).body).toMatchObject({ userId: heir, login });
    const { body: session } = await post("login", { login, password: NEW_PASSWORD });
    expect(session["userId"]).toBe(heir);
    expect((await api.call("GET", `/api/v1/balances/${userId}`, { headers: bearer(session["accessToken"]) })).status).toBe(404);
    expect((await me(bearer(accessToken))).status).toBe(401);
    // The deleted user may come back as well, under another login.
    const other = newLogin();
    expect((await post("register", { login, password: NEW_PASSWORD, userId }, admin)).body["code"]).toBe("LOGIN_TAKEN");
    expect((await post("register", { login: other, password: NEW_PASSWORD, userId }, admin)).status).toBe(201);
    expect((await post("login", { login: other, password: NEW_PASSWORD })).body["userId"]).toBe(userId);
  });

  it("is not taken from a user who is there, whoever asks, and of many admins at once one gives it", async () => {
    const there = await loggedIn();
    expect((await post("register", { login: there.login, password: NEW_PASSWORD, userId: `x-${randomUUID()}` }, admin)).status).toBe(409);
    expect((await post("register", { login: newLogin(), password: NEW_PASSWORD, userId: there.userId }, admin)).status).toBe(409);
    expect((await me(bearer(there.accessToken))).body).toMatchObject({ login: there.login });
    const { login, userId } = await deletedUser();
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        post("register", { login, password: NEW_PASSWORD, userId: n % 2 === 0 ? userId : `heir-${n}-${userId}` }, admin),
      ),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
  });

  it("stays nobody's for the asking when it could not be given, as its new owner has a login already", async () => {
    const { login } = await deletedUser();
    const there = await loggedIn();
    expect((await post("register", { login, password: NEW_PASSWORD, userId: there.userId }, admin)).body["code"]).toBe("LOGIN_TAKEN");
    expect((await post("register", { login, password: NEW_PASSWORD })).body["code"]).toBe("LOGIN_TAKEN");
  });
});
