import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { bearer, openAuthBench, type AuthBench } from "../support/auth-bench.ts";
import type { TestApi } from "../support/http-api.ts";
import { createMachineClient, type ShownKey } from "../support/machine-client.ts";
import { buildOauth2Client } from "../support/oauth2-client.ts";

/** CI has Go, with which it builds Temporal's server: there the foreign client must be had. */
const MUST_HAVE_GO = process.env["SALDO_BUILD_TEMPORAL_SERVER"] === "1";

let bench: AuthBench;
let api: TestApi;
let http: HttpServer;
let key: ShownKey;

const { makeKey, askToken, asAdmin } = createMachineClient(() => bench.identities.bearer("ops", ["admin"]));

beforeAll(async () => {
  bench = await openAuthBench();
  ({ api } = bench);
  http = await listen(api.app, { host: "127.0.0.1", port: 0 });
  key = await makeKey(api, { subject: "billing", scopes: ["ledger:*", "orders:read"] });
});
afterAll(async () => {
  await http.close(0);
  await bench.close();
});

const basic = (id: string, secret: string) => ({ authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}` });
const GRANT = { grant_type: "client_credentials" };
const inForm = () => ({ client_id: key.keyId, client_secret: key.clientSecret });
const claimsOf = (token: unknown) =>
  JSON.parse(Buffer.from(String(token).split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;

describe("client credentials", () => {
  it.each(["Basic", "form"])(
    "in %s give a token of RFC 9068 with the key's subject, role and scopes, which nobody may keep",
    async (where) => {
      const answer = await (where === "Basic"
        ? askToken(api, GRANT, basic(key.keyId, key.clientSecret))
        : askToken(api, { ...GRANT, ...inForm() }));
      expect(answer.status).toBe(200);
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(answer.headers.get("pragma")).toBe("no-cache");
      expect(answer.body).toMatchObject({ token_type: "Bearer", scope: "ledger:read ledger:write orders:read" });
      const expiresIn = Number(answer.body["expires_in"]);
      expect(expiresIn).toBeGreaterThan(0);
      expect(expiresIn).toBeLessThanOrEqual(900);
      expect(claimsOf(answer.body["access_token"])).toMatchObject({
        iss: "saldo",
        aud: "saldo-api",
        sub: "billing",
        client_id: key.keyId,
        roles: ["service"],
        scope: "ledger:read ledger:write orders:read",
        jti: expect.any(String),
      });
      const me = await api.call("GET", "/api/v1/auth/me", { headers: bearer(answer.body["access_token"]) });
      expect(me.body).toMatchObject({ userId: "billing", roles: ["service"], apiKeyId: key.keyId });
    },
  );

  it("narrow a token to the scopes that are asked for", async () => {
    const { body } = await askToken(api, { ...GRANT, ...inForm(), scope: "ledger:read" });
    expect(body["scope"]).toBe("ledger:read");
    const headers = bearer(body["access_token"]);
    const refused = await api.call("POST", "/api/v1/balances/anna/deposits", { body: { amount: "1" }, headers });
    expect([refused.status, refused.body["code"]]).toEqual([403, "INSUFFICIENT_SCOPE"]);
    expect((await askToken(api, { ...GRANT, ...inForm(), scope: "ledger:*" })).body["scope"]).toBe("ledger:read ledger:write");
  });

  it("give a token that ends with its key's expiry", async () => {
    const soon = await makeKey(api, { expiresAt: new Date(Date.now() + 60_000).toISOString() });
    const { body } = await askToken(api, { ...GRANT, client_id: soon.keyId, client_secret: soon.clientSecret });
    expect(Number(body["expires_in"])).toBeLessThanOrEqual(60);
    expect(Number(claimsOf(body["access_token"])["exp"]) * 1_000).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  it("that are wrong are refused in the form of RFC 6749, with no word of what was sent", async () => {
    const other = await makeKey(api);
    const form = { ...GRANT, ...inForm() };
    const cases: readonly (readonly [Record<string, string> | string, Record<string, string>, number, string])[] = [
      [{ ...form, client_secret: other.clientSecret }, {}, 401, "invalid_client"],
      [{ ...form, client_secret: "canary" }, {}, 401, "invalid_client"],
      [{ ...form, client_id: "canary" }, {}, 401, "invalid_client"],
      [{ ...GRANT, client_id: key.keyId }, {}, 401, "invalid_client"],
      [GRANT, basic("canary", key.clientSecret), 401, "invalid_client"],
      [GRANT, { authorization: "Basic canary" }, 401, "invalid_client"],
      [GRANT, { authorization: `Bearer ${key.clientSecret}` }, 401, "invalid_client"],
      [{ ...form, grant_type: "password" }, {}, 400, "unsupported_grant_type"],
      [inForm(), {}, 400, "invalid_request"],
      [form, basic(key.keyId, key.clientSecret), 400, "invalid_request"],
      [`${new URLSearchParams(form).toString()}&scope=ledger:read&scope=ledger:write`, {}, 400, "invalid_request"],
      [form, { "content-type": "application/json" }, 400, "invalid_request"],
      [{ ...form, scope: "orders:write" }, {}, 400, "invalid_scope"],
      [{ ...form, scope: "orders:*" }, {}, 400, "invalid_scope"],
      [{ ...form, scope: "canary" }, {}, 400, "invalid_scope"],
    ];
    for (const [body, headers, status, error] of cases) {
      const answer = await askToken(api, body, headers);
      expect([answer.status, answer.body["error"]]).toEqual([status, error]);
      expect(answer.headers.get("cache-control")).toBe("no-store");
      expect(answer.text).not.toContain("canary");
      expect(answer.text).not.toContain(key.clientSecret);
      if (status === 401) expect(answer.headers.get("www-authenticate")).toMatch(/^Basic realm=/);
    }
    expect(JSON.stringify(bench.lines)).not.toMatch(new RegExp(`canary|${key.clientSecret}`));
  });

  it("of a key that has ended, or whose subject's login is disabled, give no token", async () => {
    const ended = await makeKey(api);
    await asAdmin(api, "DELETE", `/${ended.keyId}?reason=unused`);
    const answer = await askToken(api, { ...GRANT, client_id: ended.keyId, client_secret: ended.clientSecret });
    expect([answer.status, answer.body["error"]]).toEqual([401, "invalid_client"]);
  });

  it("that are longer than any are not read", async () => {
    expect((await askToken(api, `grant_type=${"x".repeat(9_000)}`)).status).toBe(413);
  });
});

describe("a foreign OAuth2 client", () => {
  it.for(["header", "params"])("goes from its id and secret (%s) to a deposit", { timeout: 600_000 }, async (style, { skip }) => {
    const run = await buildOauth2Client(inject("cacheDir")).catch((error: unknown) => {
      if (MUST_HAVE_GO) throw error;
      return undefined;
    });
    if (run === undefined) return skip("Go's OAuth2 client cannot be built on this machine");
    const env = { SALDO_URL: `http://127.0.0.1:${http.port}`, CLIENT_ID: key.keyId, CLIENT_SECRET: key.clientSecret, AUTH_STYLE: style };
    const balance = async () =>
      Number((await api.call("GET", "/api/v1/balances/anna?currency=RUB", { headers: key.bearer })).body["available"] ?? 0);
    const before = await balance();
    const idempotencyKey = randomUUID();
    for (let time = 0; time < 2; time += 1)
      expect(await run({ ...env, KEY: idempotencyKey, SCOPES: "ledger:write" })).toMatch(/^20[01] .*"12\.50"/);
    expect(await balance()).toBe(before + 12.5);
    expect(await run({ ...env, KEY: randomUUID(), SCOPES: "orders:read" })).toMatch(/^403 .*INSUFFICIENT_SCOPE/);
    expect(await run({ ...env, KEY: randomUUID(), SCOPES: "orders:write" })).toContain("invalid_scope");
    expect(await run({ ...env, CLIENT_SECRET: "wrong", KEY: randomUUID(), SCOPES: "" })).toContain("invalid_client");
    expect(await balance()).toBe(before + 12.5);
  });
});
