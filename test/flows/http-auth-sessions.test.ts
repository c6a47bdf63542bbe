import type postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bearer, createAuthClient, openAuthBench, PASSWORD, type AuthBench } from "../support/auth-bench.ts";
import type { RealIdentities } from "../support/real-identity.ts";

let bench: AuthBench;
let identities: RealIdentities;
let sql: postgres.Sql;

beforeAll(async () => {
  bench = await openAuthBench();
  ({ identities, sql } = bench);
});

afterAll(() => bench.close());

const { post, me, loggedIn } = createAuthClient(() => bench);

describe("refreshing", () => {
  it("goes on with the session and uses the token up", async () => {
    const { refreshToken, userId } = await loggedIn();
    const { status, body } = await post("refresh", { refreshToken });
    expect(status).toBe(200);
    expect(body["refreshToken"]).not.toBe(refreshToken);
    expect((await me(bearer(body["accessToken"]))).body).toMatchObject({ userId });
    const stored = await sql`select hash from refresh_tokens`;
    expect(JSON.stringify(stored)).not.toContain(refreshToken);
  });

  it("with a token that was used ends the whole session, for the thief and for the owner", async () => {
    const { refreshToken, accessToken, userId } = await loggedIn();
    const { body: next } = await post("refresh", { refreshToken });
    expect((await post("refresh", { refreshToken })).body["code"]).toBe("INVALID_REFRESH_TOKEN");
    expect((await post("refresh", { refreshToken: next["refreshToken"] })).status).toBe(401);
    expect((await me(bearer(accessToken))).status).toBe(401);
    expect((await me(bearer(next["accessToken"]))).status).toBe(401);
    const [noted] = await sql`select act, subject_type from acts where actor = ${userId} and act = 'refresh.reused'`;
    expect(noted).toMatchObject({ subject_type: "session" });
  });

  it("with one token by ten at once lets one through and ends the session", async () => {
    const { refreshToken, accessToken } = await loggedIn();
    const answers = await Promise.all(Array.from({ length: 10 }, () => post("refresh", { refreshToken })));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect((await me(bearer(accessToken))).status).toBe(401);
  });

  it("takes neither an access token nor something made up, nor does a refresh token open a route", async () => {
    const { accessToken, refreshToken } = await loggedIn();
    for (const token of ["made-up", "", accessToken.slice(0, 200)])
      expect((await post("refresh", { refreshToken: token })).body["code"]).toBe("INVALID_REFRESH_TOKEN");
    expect((await me(bearer(refreshToken))).status).toBe(401);
  });

  it("ends with the session's own end", async () => {
    const { refreshToken, userId } = await loggedIn();
    await sql`update sessions set expires_at = now() - interval '1 second' where user_id = ${userId}`;
    expect((await post("refresh", { refreshToken })).status).toBe(401);
  });
});

describe("logging out", () => {
  it("refuses the token at once, and every other token of its session", async () => {
    const { accessToken, refreshToken } = await loggedIn();
    const { body: next } = await post("refresh", { refreshToken });
    expect((await me(bearer(accessToken))).status).toBe(200);
    const { status, text } = await post("logout", undefined, bearer(accessToken));
    expect([status, text]).toEqual([204, ""]);
    expect((await me(bearer(accessToken))).status).toBe(401);
    expect((await me(bearer(next["accessToken"]))).status).toBe(401);
    expect((await post("refresh", { refreshToken: next["refreshToken"] })).status).toBe(401);
    expect((await post("logout", undefined, bearer(accessToken))).status).toBe(401);
  });

  it("with a refresh token ends that session too, but never another user's", async () => {
    const [mine, theirs] = [await loggedIn(), await loggedIn()];
    const { body: other } = await post("login", { login: mine.login, password: PASSWORD });
    expect((await post("logout", { refreshToken: theirs.refreshToken }, bearer(mine.accessToken))).status).toBe(204);
    expect((await me(bearer(theirs.accessToken))).status).toBe(200);
    expect((await post("logout", { refreshToken: mine.refreshToken }, bearer(other["accessToken"]))).status).toBe(204);
    expect((await post("refresh", { refreshToken: mine.refreshToken })).status).toBe(401);
  });

  it("of a token that has ended is 401, of one in its last second no error", async () => {
    const short = await identities.bearer("ops", ["admin"], 1_000);
    await new Promise((resolve) => setTimeout(resolve, 1_600));
    expect((await post("logout", undefined, short)).status).toBe(204);
    expect((await me(short)).status).toBe(401);
    expect((await post("logout", undefined, bearer("a.b.c"))).status).toBe(401);
  });
});
