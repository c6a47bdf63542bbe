import { sql as text } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openAuthBench, type AuthBench } from "../support/auth-bench.ts";
import type { TestApi } from "../support/http-api.ts";
import { createMachineClient } from "../support/machine-client.ts";
import { until } from "../support/until.ts";

let bench: AuthBench;
let api: TestApi;
let admin: { authorization: string };

beforeAll(async () => {
  bench = await openAuthBench();
  ({ api } = bench);
  admin = await bench.identities.bearer("ops", ["admin"]);
});
afterAll(() => bench.close());

const { asAdmin, shown, makeKey, askToken, tokenOf } = createMachineClient(() => bench.identities.bearer("ops", ["admin"]));
type Headers = { readonly authorization: string };
const me = async (headers: Headers) => (await api.call("GET", "/api/v1/auth/me", { headers })).status;
const deposit = (headers: Headers) => api.call("POST", "/api/v1/balances/anna/deposits", { body: { amount: "1" }, headers });
const actsOf = async (keyId: string) =>
  (await bench.sql`select act from acts where subject_type = 'api-key' and subject_id = ${keyId} order by id`).map(
    ({ act }) => act as string,
  );

describe("an API key", () => {
  it("is shown once, moves money as its subject, and is kept as a hash alone", async () => {
    const made = await asAdmin(api, "POST", "", { name: "billing", subject: "billing", scopes: ["ledger:write"] });
    expect(made.status).toBe(201);
    const key = String(made.body["key"]);
    expect(key).toMatch(/^saldo_live_[a-z]{16}_[0-9a-f]{72}$/);
    expect(key.startsWith(String(made.body["prefix"]))).toBe(true);
    expect((await deposit({ authorization: `Bearer ${key}` })).status).toBe(201);
    const [operation] = await bench.sql`select caller from operations order by id desc limit 1`;
    expect(operation?.["caller"]).toBe("billing");

    const secret = String(made.body["clientSecret"]);
    const read = await asAdmin(api, "GET", `/${String(made.body["keyId"])}`);
    const list = await asAdmin(api, "GET", "?limit=1");
    const [row] = await bench.sql`select k::text as everything from api_keys k where id = ${String(made.body["keyId"])}`;
    for (const kept of [read.text, list.text, String(row?.["everything"]), JSON.stringify(bench.lines)]) {
      expect(kept).not.toContain(secret);
      expect(kept).not.toContain(secret.slice(0, 64));
    }
    expect(read.body).toMatchObject({ name: "billing", scopes: ["ledger:write"], status: "active", createdBy: "ops" });
    expect(await actsOf(String(made.body["keyId"]))).toEqual(["api-key.created"]);
  });

  it("may do no more than its scopes, and no more than the role service, on the earlier interface as well", async () => {
    const key = await makeKey(api, { scopes: ["ledger:read"] });
    for (const headers of [key.bearer, await tokenOf(api, key)]) {
      expect((await api.call("GET", "/api/v1/balances/anna", { headers })).status).toBe(200);
      const refused = await deposit(headers);
      expect([refused.status, refused.body["code"]]).toEqual([403, "INSUFFICIENT_SCOPE"]);
      expect(refused.headers.get("www-authenticate")).toBe('Bearer error="insufficient_scope", scope="ledger:write"');
      const legacy = await api.app.request("/api", {
        method: "POST",
        headers: { ...headers, "content-type": "application/json" },
        body: '{"id":1,"balance":5}',
      });
      expect(legacy.status).toBe(403);
      expect((await api.call("GET", "/api/v1/orders", { headers })).body["code"]).toBe("INSUFFICIENT_SCOPE");
    }
    const most = await makeKey(api, {
      scopes: ["ledger:*", "orders:*", "purchases:*", "reservations:*", "services:*", "users:*", "events:*"],
    });
    for (const [method, path] of [
      ["GET", "/api/v1/webhooks"],
      ["GET", "/api/v1/api-keys"],
      ["DELETE", "/api/v1/users/anna"],
      ["GET", "/api/v1/audit"],
      ["GET", "/metrics"],
    ] as const)
      expect((await api.app.request(path, { method, headers: most.bearer })).status).toBe(403);
    for (const path of ["auth/logout", "auth/password"])
      expect((await api.call("POST", `/api/v1/${path}`, { headers: most.bearer, body: {}, key: null })).body["code"]).toBe(
        "INSUFFICIENT_SCOPE",
      );
    const asAdminUser = { login: "mallory", password: "a long enough one", roles: ["admin"] };
    expect((await api.call("POST", "/api/v1/auth/register", { headers: most.bearer, body: asAdminUser, key: null })).status).toBe(403);
  });

  it("is refused with any wrong letter, cut, under another id, or twice in one header, and the log holds no key", async () => {
    const key = await makeKey(api);
    const other = await makeKey(api);
    const whole = key.bearer.authorization;
    const wrong = [
      whole.slice(0, -1),
      `${whole}0`,
      whole.replace(/.$/, (last) => (last === "0" ? "1" : "0")),
      whole.replace(key.keyId, other.keyId),
      whole.replace(key.keyId, "a".repeat(16)),
      whole.replace("saldo_live_", "saldo_test_"),
      `${whole}, ${whole}`,
      `Basic ${Buffer.from(`${key.keyId}:${key.clientSecret}`).toString("base64")}`,
    ];
    for (const authorization of wrong) expect(await me({ authorization })).toBe(401);
    expect(await me(key.bearer)).toBe(200);
    expect((await api.call("GET", "/api/v1/auth/me", { headers: { "x-api-key": whole.slice(7) } })).status).toBe(401);
    const asCorrelation = await api.call("GET", "/api/v1/auth/me", { headers: { ...key.bearer, "x-correlation-id": whole.slice(7) } });
    expect(asCorrelation.headers.get("x-correlation-id")).not.toContain("saldo_live_");
    // As an address in which somebody wrote it.
    await api.call("GET", `/api/v1/balances/${whole.slice(7)}`, { headers: key.bearer });
    await api.call("GET", `/api/v1/users/${whole.slice(7)}`, { headers: key.bearer });
    // As words and as a key that would be kept.
    const pay = (comment: string, idempotencyKey: string) =>
      api.call("POST", "/api/v1/balances/anna/deposits", { body: { amount: "1", comment }, headers: key.bearer, key: idempotencyKey });
    expect((await pay(`paid with ${whole.slice(7)}`, "1")).body).toMatchObject({ status: 400, errors: [{ pointer: "/comment" }] });
    expect((await pay("paid", whole.slice(7))).body["code"]).toBe("INVALID_IDEMPOTENCY_KEY");
    const reason = `${whole.slice(7)} was in a log`;
    const ended = await api.call("POST", "/api/v1/auth/revocations", { body: { subject: "x", reason }, headers: admin, key: null });
    expect(ended.body).toMatchObject({ status: 400, errors: [{ pointer: "/reason" }] });
    expect(JSON.stringify(bench.lines)).toContain(`saldo_live_${key.keyId}_****`);
    expect(JSON.stringify(bench.lines)).not.toContain(key.clientSecret);
  });

  it("ends at its expiry, and so do its tokens", async () => {
    const key = await makeKey(api);
    const token = await tokenOf(api, key);
    expect([await me(key.bearer), await me(token)]).toEqual([200, 200]);
    await bench.sql`update api_keys set expires_at = clock_timestamp() where id = ${key.keyId}`;
    for (const headers of [key.bearer, token]) await until("it is refused", async () => (await me(headers)) === 401);
    expect((await asAdmin(api, "GET", `/${key.keyId}`)).body["status"]).toBe("expired");
    expect((await asAdmin(api, "POST", `/${key.keyId}/rotate`)).body["code"]).toBe("API_KEY_NOT_FOUND");
  });

  it("says when it was last used, and writes that once a minute at most", async () => {
    const key = await makeKey(api);
    expect((await asAdmin(api, "GET", `/${key.keyId}`)).body).not.toHaveProperty("lastUsedAt");
    const lastUsed = async () => (await asAdmin(api, "GET", `/${key.keyId}`)).body["lastUsedAt"];
    await me(key.bearer);
    await until("its use is noted", async () => (await lastUsed()) !== undefined);
    const first = await lastUsed();
    // Another process, which has noted nothing yet, does not write either.
    const opened = await bench.identities.open({ databaseUrl: bench.database.appUrl });
    await opened.authenticator.authenticate(key.bearer.authorization);
    for (let time = 0; time < 5; time += 1) await me(key.bearer);
    expect(await lastUsed()).toBe(first);
  });

  it("is asked of nobody but admins, and not for a moment that is past or too far away", async () => {
    const body = { name: "x", subject: "x", scopes: ["ledger:*"] };
    const service = await bench.identities.bearer("shop", ["service"]);
    expect((await api.call("POST", "/api/v1/api-keys", { headers: service, body, key: null })).status).toBe(403);
    for (const [wrong, pointer] of [
      [{ scopes: [] }, "/scopes"],
      [{ scopes: ["ledger:everything"] }, "/scopes"],
      [{ scopes: ["admin:*"] }, "/scopes"],
      [{ scopes: ["*"] }, "/scopes"],
      [{ expiresAt: "2020-01-01T00:00:00Z" }, "/expiresAt"],
      [{ expiresAt: "2199-01-01T00:00:00Z" }, "/expiresAt"],
      [{ subject: ".." }, "/subject"],
      [{ name: "" }, "/name"],
    ] as const)
      expect((await asAdmin(api, "POST", "", { ...body, ...wrong })).body).toMatchObject({ status: 400, errors: [{ pointer }] });
  });
});

describe("a rotation", () => {
  it("leaves the secret before it for the overlap that was asked for, with its tokens, and no longer", async () => {
    const key = await makeKey(api);
    const oldToken = await tokenOf(api, key);
    const rotated = await asAdmin(api, "POST", `/${key.keyId}/rotate`, { overlapSeconds: 3_600 });
    expect(rotated.status).toBe(201);
    const next = shown(rotated);
    for (const headers of [key.bearer, oldToken, next.bearer, await tokenOf(api, next)]) expect(await me(headers)).toBe(200);
    // The overlap's end has come.
    await bench.sql`update api_keys set secrets = jsonb_set(secrets, '{0,until}', to_jsonb(clock_timestamp())) where id = ${key.keyId}`;
    for (const headers of [key.bearer, oldToken]) await until("it is refused", async () => (await me(headers)) === 401);
    const form = { grant_type: "client_credentials", client_id: key.keyId, client_secret: key.clientSecret };
    expect((await askToken(api, form)).body["error"]).toBe("invalid_client");
    expect(await me(next.bearer)).toBe(200);
  });

  it("never outlives a revocation of the same moment, and brings no key back", async () => {
    for (let round = 0; round < 10; round += 1) {
      const key = await makeKey(api);
      const [rotated] = await Promise.all([asAdmin(api, "POST", `/${key.keyId}/rotate`), asAdmin(api, "DELETE", `/${key.keyId}`)]);
      expect([201, 404]).toContain(rotated.status);
      if (rotated.status === 201) await until("the new secret is refused", async () => (await me(shown(rotated).bearer)) === 401);
      expect((await asAdmin(api, "POST", `/${key.keyId}/rotate`)).status).toBe(404);
      expect((await asAdmin(api, "GET", `/${key.keyId}`)).body["status"]).toBe("ended");
    }
  });

  it("by several at once gives each a secret that is good, up to five in all; without an overlap all others end", async () => {
    const key = await makeKey(api);
    const answers = await Promise.all(Array.from({ length: 6 }, () => asAdmin(api, "POST", `/${key.keyId}/rotate`)));
    const made = answers.filter(({ status }) => status === 201).map(shown);
    expect(made).toHaveLength(4);
    for (const { status, headers } of answers.filter((answer) => answer.status !== 201))
      expect([status, Number(headers.get("retry-after")) > 0]).toEqual([429, true]);
    for (const { bearer } of [key, ...made]) expect(await me(bearer)).toBe(200);
    const last = shown(await asAdmin(api, "POST", `/${key.keyId}/rotate`, { overlapSeconds: 0 }));
    for (const { bearer } of [key, ...made]) expect(await me(bearer)).toBe(401);
    expect(await me(last.bearer)).toBe(200);
  });

  it("is bounded to a week, may move the key's end, and does not make an ended secret's life longer", async () => {
    const key = await makeKey(api);
    expect((await asAdmin(api, "POST", `/${key.keyId}/rotate`, { overlapSeconds: 604_801 })).status).toBe(400);
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    expect((await asAdmin(api, "POST", `/${key.keyId}/rotate`, { overlapSeconds: 60, expiresAt })).body["expiresAt"]).toBe(expiresAt);
    const second = await asAdmin(api, "POST", `/${key.keyId}/rotate`, { overlapSeconds: 604_800 });
    expect(second.status).toBe(201);
    const acts = await bench.sql`select details from acts where subject_id = ${key.keyId} and act = 'api-key.rotated' order by id`;
    expect(acts.map(({ details }) => details as object)).toEqual([{ overlapSeconds: "60", expiresAt }, { overlapSeconds: "604800" }]);
    const [row] = await api.db.execute<{ until: string }>(text`
      select extract(epoch from (secrets -> 0 ->> 'until')::timestamptz - clock_timestamp())::text as until from api_keys where id = ${key.keyId}`);
    expect(Number(row?.until)).toBeLessThanOrEqual(60);
  });
});

describe("a subject", () => {
  it("whose tokens were ended loses its keys, gets a new one at once, and the answer names the ended ones", async () => {
    const subject = "leaver";
    const key = await makeKey(api, { subject });
    const ended = await api.call("POST", "/api/v1/auth/revocations", { headers: admin, body: { subject, reason: "stolen" }, key: null });
    expect(ended).toMatchObject({ status: 200, body: { apiKeys: [key.keyId] } });
    expect(await me(key.bearer)).toBe(401);
    const next = await makeKey(api, { subject });
    expect([await me(next.bearer), await me(await tokenOf(api, next))]).toEqual([200, 200]);
    expect((await asAdmin(api, "POST", `/${key.keyId}/rotate`)).status).toBe(404);
  });
});
