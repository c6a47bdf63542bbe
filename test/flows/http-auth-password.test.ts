import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { issueToken } from "../../src/adapters/tokens/access-tokens.ts";
import { openSigningKeys } from "../../src/adapters/tokens/signing-keys.ts";
import { bearer, createAuthClient, openAuthBench, PASSWORD, type AuthBench } from "../support/auth-bench.ts";

const NEW_PASSWORD = "another long password";
let bench: AuthBench;
let admin: { authorization: string };
beforeAll(async () => {
  bench = await openAuthBench();
  admin = await bench.identities.bearer("ops", ["admin"]);
});
afterAll(() => bench.close());

// As a refresh would have it issued a moment after the change.
const issueLater = async (subject: string, sessionId?: string) => {
  const keys = await openSigningKeys({ directory: bench.identities.keysDir, log: SILENT_LOG });
  const names = { issuer: "saldo", audience: "saldo-api" };
  const issued = await issueToken(
    keys,
    names,
    { subject, roles: ["user"], ...(sessionId === undefined ? {} : { sessionId }), ttlMs: 600_000 },
    () => Date.now() + 5_000,
  );
  await keys.close();
  return issued;
};
const { post, me, loggedIn } = createAuthClient(() => bench);

describe("a change of the password", () => {
  it("ends every session and token there was, goes on with a new session, and the old password is no use", async () => {
    const user = await loggedIn();
    const elsewhere = (await post("login", { login: user.login, password: PASSWORD })).body;
    const signed = await bench.identities.bearer(user.userId, ["user"]);
    const changed = await post("password", { oldPassword: PASSWORD, newPassword: NEW_PASSWORD }, bearer(user.accessToken));
    expect(changed).toMatchObject({ status: 200, body: { userId: user.userId, roles: ["user"] } });
    for (const headers of [bearer(user.accessToken), bearer(elsewhere["accessToken"]), signed])
      expect((await me(headers)).status).toBe(401);
    for (const refreshToken of [user.refreshToken, elsewhere["refreshToken"]])
      expect((await post("refresh", { refreshToken })).body["code"]).toBe("INVALID_REFRESH_TOKEN");
    expect((await me(bearer(changed.body["accessToken"]))).status).toBe(200);
    expect((await post("refresh", { refreshToken: changed.body["refreshToken"] })).status).toBe(200);
    expect((await post("login", { login: user.login, password: PASSWORD })).status).toBe(401);
    expect((await post("login", { login: user.login, password: NEW_PASSWORD })).status).toBe(200);
    const acts = await bench.sql`select act from acts where subject_id = ${user.userId} and subject_type = 'user'`;
    expect(acts).toEqual([{ act: "password.changed" }]);
  });

  it("with a wrong old password changes nothing, and ten of them close it as they close the login", async () => {
    const user = await loggedIn();
    const attempt = (oldPassword: string) => post("password", { oldPassword, newPassword: NEW_PASSWORD }, bearer(user.accessToken));
    for (let time = 0; time < 10; time += 1) expect((await attempt("wrong")).body["code"]).toBe("INVALID_CREDENTIALS");
    const closed = await attempt(PASSWORD);
    expect([closed.status, Number(closed.headers.get("retry-after")) > 0]).toEqual([429, true]);
    expect((await post("login", { login: user.login, password: PASSWORD })).status).toBe(429);
    expect((await me(bearer(user.accessToken))).status).toBe(200);
  }, 60_000);

  it("by two at once is done once", async () => {
    const user = await loggedIn();
    const answers = await Promise.all(
      ["first new password", "second new password"].map((newPassword) =>
        post("password", { oldPassword: PASSWORD, newPassword }, bearer(user.accessToken)),
      ),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  });

  it("leaves nothing to a log-in with the old password of the same moment", async () => {
    for (let round = 0; round < 5; round += 1) {
      const user = await loggedIn();
      const entering = Array.from({ length: 3 }, () => post("login", { login: user.login, password: PASSWORD }));
      const changed = await post("password", { oldPassword: PASSWORD, newPassword: NEW_PASSWORD }, bearer(user.accessToken));
      expect(changed.status).toBe(200);
      for (const { status, body } of await Promise.all(entering))
        if (status === 200) {
          expect((await post("refresh", { refreshToken: body["refreshToken"] })).status).toBe(401);
          expect((await me(bearer(body["accessToken"]))).status).toBe(401);
        }
      expect((await me(bearer(changed.body["accessToken"]))).status).toBe(200);
    }
  });

  it("refuses a session that was being opened meanwhile and that its statement did not see", async () => {
    const user = await loggedIn();
    const missed = (await post("login", { login: user.login, password: PASSWORD })).body;
    await post("password", { oldPassword: PASSWORD, newPassword: NEW_PASSWORD }, bearer(user.accessToken));
    // As the statement would have left it.
    await bench.sql`update sessions set revoked_at = null where user_id = ${user.userId}`;
    expect((await post("refresh", { refreshToken: missed["refreshToken"] })).status).toBe(401);
    const sid = (JSON.parse(Buffer.from(String(missed["accessToken"]).split(".")[1] ?? "", "base64url").toString()) as { sid: string }).sid;
    const { token } = await issueLater(user.userId, sid);
    expect((await me(bearer(token))).status).toBe(401);
  });

  it("to one that is too short is refused, and so is one by whom no login belongs to", async () => {
    const user = await loggedIn();
    const short = await post("password", { oldPassword: PASSWORD, newPassword: "short" }, bearer(user.accessToken));
    expect(short.body).toMatchObject({ status: 400, errors: [{ pointer: "/newPassword" }] });
    expect((await post("password", { oldPassword: PASSWORD, newPassword: NEW_PASSWORD }, admin)).body["code"]).toBe("INVALID_CREDENTIALS");
  });
});

describe("a login that an operator disabled", () => {
  it("lets in nobody until it is enabled, and then only who logs in anew", async () => {
    const user = await loggedIn();
    const change = (what: string) => post(`users/${user.userId}/${what}`, { reason: "a laptop was lost" }, admin);
    expect(await change("disable")).toMatchObject({ status: 200, body: { userId: user.userId, login: user.login, disabled: true } });
    const login = { login: user.login, password: PASSWORD };
    expect((await post("login", login)).body["code"]).toBe("INVALID_CREDENTIALS");
    expect((await post("refresh", { refreshToken: user.refreshToken })).status).toBe(401);
    expect((await me(bearer(user.accessToken))).status).toBe(401);
    const later = await bench.identities.bearer(user.userId, ["admin"]);
    expect((await me(later)).status).toBe(401);
    // Younger than every moment up to which the subject's tokens were ended.
    const issued = await issueLater(user.userId);
    expect((await me(bearer(issued.token))).status).toBe(401);
    expect((await bench.api.call("GET", `/api/v1/users/${user.userId}`, { headers: admin })).body).toHaveProperty("loginDisabledAt");

    expect(await change("enable")).toMatchObject({ status: 200, body: { disabled: false } });
    for (const headers of [bearer(user.accessToken), later]) expect((await me(headers)).status).toBe(401);
    expect((await post("refresh", { refreshToken: user.refreshToken })).status).toBe(401);
    const { status, body } = await post("login", login);
    expect([status, (await me(bearer(body["accessToken"]))).status]).toEqual([200, 200]);
    const acts =
      await bench.sql`select act, actor, reason from acts where subject_id = ${user.userId} and act like 'login.%abled' order by id`;
    expect(acts).toEqual(["login.disabled", "login.enabled"].map((act) => ({ act, actor: "ops", reason: "a laptop was lost" })));
  });

  it("is not opened by a log-in of the same moment, neither then nor when it is enabled", async () => {
    for (let round = 0; round < 5; round += 1) {
      const user = await loggedIn();
      const [entered] = await Promise.all([
        post("login", { login: user.login, password: PASSWORD }),
        post(`users/${user.userId}/disable`, { reason: "left" }, admin),
      ]);
      await post(`users/${user.userId}/enable`, { reason: "back" }, admin);
      if (entered.status === 200) expect((await post("refresh", { refreshToken: entered.body["refreshToken"] })).status).toBe(401);
    }
  });

  it("is disabled by admins, with a reason, and must be there", async () => {
    const user = await loggedIn();
    const disable = (userId: string, headers: { authorization: string }, reason = "left") =>
      post(`users/${userId}/disable`, { reason }, headers);
    expect((await disable(user.userId, await bench.identities.bearer("shop", ["service"]))).status).toBe(403);
    expect((await disable(user.userId, admin, "")).status).toBe(400);
    expect((await disable("nobody", admin)).body["code"]).toBe("USER_NOT_FOUND");
    expect((await me(bearer(user.accessToken))).status).toBe(200);
  });
});
