import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createRateLimit, type RateLimit } from "../../src/adapters/redis/rate-limits.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import { createTokenVerifier, issueToken } from "../../src/adapters/tokens/access-tokens.ts";
import { ensureSigningKey, openSigningKeys } from "../../src/adapters/tokens/signing-keys.ts";
import { rememberVerified } from "../../src/adapters/tokens/token-memory.ts";
import { createAuthenticator } from "../../src/api/http/authenticator.ts";
import { createClientAddresses } from "../../src/api/http/client-address.ts";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { createRequestLimits, type RateLimits } from "../../src/api/http/middleware/rate-limit.ts";
import type { Role } from "../../src/contract/identity.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { NO_API_KEYS } from "../support/test-identity.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let link: RedisLink;
const closers: (() => Promise<void>)[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  link = await openLink();
});

afterAll(async () => {
  for (const close of closers) await close();
  link.close();
  await database.drop();
});

async function openLink(): Promise<RedisLink> {
  const opened = openRedis({ url: inject("redisUrl"), logger: SILENT_LOG });
  await until("Redis answers", async () => (await opened.attempt((client) => client.ping())) === "PONG");
  return opened;
}

// The keys are the clients' addresses, so each test has a prefix of its own.
let prefix = "";
beforeEach(() => {
  prefix = `rate-${randomUUID()}`;
});

function limitOf(name: string, quota: number, redis = link): RateLimit | undefined {
  return createRateLimit({ redis, prefix: `${prefix}${name}`, quota, windowMs: 60_000 });
}

/** Every request is a user's, with any token or none. */
const PEOPLE: Authenticator = { authenticate: async () => ({ subject: "anna", roles: ["user"] }) };

/** Every request is a backend's whose token was never verified before. */
const UNKNOWN_SERVICE: Authenticator = { authenticate: async () => ({ subject: "shop", roles: ["service"] }) };

/** Real tokens of an issuer, and the memory of those that were verified; `revoke` is what another process may do. */
async function startIssuer() {
  const directory = mkdtempSync(join(tmpdir(), "saldo-limits-"));
  await ensureSigningKey(directory);
  const keys = await openSigningKeys({ directory, log: SILENT_LOG });
  closers.push(async () => {
    await keys.close();
    rmSync(directory, { recursive: true });
  });
  const names = { issuer: "saldo", audience: "saldo-api" };
  const revoked = new Set<string>();
  let verifications = 0;
  const verifier = createTokenVerifier({ keys, names });
  const counting = {
    verify: (token: string) => {
      verifications += 1;
      return verifier.verify(token);
    },
  };
  const authenticator = createAuthenticator({
    verifier: rememberVerified(counting, keys),
    revocations: { isRevoked: async ({ subject }) => revoked.has(subject), announce: async () => {} },
    apiKeys: NO_API_KEYS,
  });
  return {
    authenticator,
    verifications: () => verifications,
    revoke: (subject: string) => revoked.add(subject),
    tokenOf: async (subject: string, roles: readonly Role[]) => (await issueToken(keys, names, { subject, roles, ttlMs: 600_000 })).token,
  };
}

/** One process that listens, behind the proxies it trusts. */
async function startApi(
  limits: RateLimits,
  trustedProxies: readonly string[] = [],
  authenticator: Authenticator = PEOPLE,
): Promise<{ api: TestApi; server: HttpServer; url: string }> {
  const api = createTestApi({
    databaseUrl: database.appUrl,
    authenticator,
    limits: createRequestLimits({ limits, addresses: createClientAddresses(trustedProxies) }),
  });
  const server = await listen(api.app, { host: "127.0.0.1", port: 0 });
  closers.push(async () => {
    await server.close(1_000);
    await api.close();
  });
  return { api, server, url: `http://127.0.0.1:${server.port}` };
}

const statusesOf = async (answers: Promise<Response>[]) => (await Promise.all(answers)).map(({ status }) => status);
const count = (statuses: readonly number[], status: number) => statuses.filter((one) => one === status).length;

describe("the rate limit over HTTP", () => {
  test("lets exactly 100 of 200 requests pass that come at once to two processes", async () => {
    const [one, two] = [await startApi({ address: limitOf("", 100) }), await startApi({ address: limitOf("", 100) })];
    const statuses = await statusesOf(
      Array.from({ length: 200 }, (_, n) => fetch(`${(n % 2 === 0 ? one : two).url}/api/v1/services/none`)),
    );
    expect([count(statuses, 404), count(statuses, 429)]).toEqual([100, 100]);
  });

  test("tells every answer what is left, and a refusal how long to wait", async () => {
    const { url } = await startApi({ address: limitOf("", 2), subject: limitOf(":user", 5) });
    const beganMs = performance.now();
    const first = await fetch(`${url}/api/v1/services/none`);
    expect(first.headers.get("ratelimit-policy")).toBe('"address";q=2;w=60, "user";q=5;w=60');
    expect(first.headers.get("ratelimit")).toMatch(/^"address";r=1;t=(60|59), "user";r=4;t=(60|59)$/);
    await fetch(`${url}/api/v1/services/none`);
    const refused = await fetch(`${url}/api/v1/services/none`);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(55 - (performance.now() - beganMs) / 1_000);
    expect(refused.headers.get("ratelimit")).toMatch(/^"address";r=0;t=\d+$/);
    expect(await refused.json()).toMatchObject({ code: "RATE_LIMITED", status: 429 });
  });

  test("is not felt by a backend: its requests count against no address, and against a limit of its own where one is set", async () => {
    const issuer = await startIssuer();
    const limits = { address: limitOf("", 3), subject: limitOf(":user", 2), service: limitOf(":service", 20) };
    const { url } = await startApi(limits, [], issuer.authenticator);
    const ask = (token: string) => fetch(`${url}/api/v1/services/none`, { headers: { authorization: `Bearer ${token}` } });
    const service = await issuer.tokenOf("shop", ["service"]);
    // The first one is unknown: it counts against the address before its signature is looked at.
    const first = await ask(service);
    expect(first.headers.get("ratelimit")).toMatch(/^"address";r=2;t=\d+, "service";r=19;t=\d+$/);
    for (let n = 0; n < 10; n += 1) {
      const answer = await ask(service);
      expect([answer.status, answer.headers.get("ratelimit-policy")]).toEqual([404, '"service";q=20;w=60']);
    }
    // A flood of strangers from its address shuts the address for strangers and for people, not for the backend.
    const bad = await statusesOf(Array.from({ length: 10 }, () => ask("nonsense")));
    expect([count(bad, 401), count(bad, 429)]).toEqual([2, 8]);
    expect((await ask(await issuer.tokenOf("anna", ["user"]))).status).toBe(429);
    const rest = await statusesOf(Array.from({ length: 12 }, () => ask(service)));
    expect([count(rest, 404), count(rest, 429)]).toEqual([9, 3]);
  });

  test("leaves people theirs, also those whose token was verified before", async () => {
    const issuer = await startIssuer();
    const { url } = await startApi({ address: limitOf("", 100), subject: limitOf(":user", 5) }, [], issuer.authenticator);
    const headers = { authorization: `Bearer ${await issuer.tokenOf("anna", ["user"])}` };
    const statuses = await statusesOf(Array.from({ length: 12 }, () => fetch(`${url}/api/v1/balances/anna`, { headers })));
    expect([count(statuses, 200), count(statuses, 429)]).toEqual([5, 7]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(issuer.verifications()).toBeGreaterThan(0);
  });

  test("counts a backend's requests against its address once its token is revoked, or when its roles do not allow them", async () => {
    const issuer = await startIssuer();
    const { url } = await startApi({ address: limitOf("", 5) }, [], issuer.authenticator);
    const headers = { authorization: `Bearer ${await issuer.tokenOf("shop", ["service"])}` };
    expect((await fetch(`${url}/api/v1/services/none`, { headers })).status).toBe(404);
    const forbidden = await statusesOf(Array.from({ length: 2 }, () => fetch(`${url}/api/v1/audit`, { headers })));
    expect(forbidden).toEqual([403, 403]);
    issuer.revoke("shop");
    const revoked = await statusesOf(Array.from({ length: 10 }, () => fetch(`${url}/api/v1/services/none`, { headers })));
    expect([count(revoked, 401), count(revoked, 429)]).toEqual([2, 8]);
    expect(issuer.verifications()).toBe(1);
  });

  test("cannot be got round by spelling, headers, or another method or address", async () => {
    const { url } = await startApi({ address: limitOf("", 5) });
    for (let n = 0; n < 5; n += 1) await fetch(`${url}/api/v1/services/none`);
    const attempts = [
      fetch(`${url}/API/V1/orders/none`),
      fetch(`${url}/api/v1/services/none/`),
      fetch(`${url}/api/v1/services/none?x=1`),
      fetch(`${url}/nowhere`),
      fetch(`${url}/api/v1/balances/anna`, { method: "HEAD" }),
      fetch(`${url}/api/v1/services/none`, {
        headers: { "x-forwarded-for": "198.51.100.9", "x-real-ip": "198.51.100.9", forwarded: "for=198.51.100.9" },
      }),
      fetch(`${url}/api/v1/services/none`, { headers: { authorization: "Bearer other", "user-agent": "other" } }),
    ];
    expect(await statusesOf(attempts)).toEqual(attempts.map(() => 429));
  });

  test("counts the clients of a trusted proxy one by one", async () => {
    const { url } = await startApi({ address: limitOf("", 1) }, ["127.0.0.1"]);
    const from = (forwarded: string) => fetch(`${url}/api/v1/services/none`, { headers: { "x-forwarded-for": forwarded } });
    expect((await from("198.51.100.1")).status).toBe(404);
    expect((await from("198.51.100.2")).status).toBe(404);
    expect((await from("203.0.113.99, 198.51.100.1")).status).toBe(429);
    expect((await from("2001:db8:1:2::1")).status).toBe(404);
    expect((await from("2001:db8:1:2:ffff::2")).status).toBe(429);
  });

  test("never refuses the questions of supervisors", async () => {
    const { url } = await startApi({ address: limitOf("", 1) });
    const statuses = await statusesOf(Array.from({ length: 10 }, () => fetch(`${url}/healthz`)));
    expect(count(statuses, 200)).toBe(10);
  });

  test("is the same when Redis goes in the middle, and what was done stays done once", async () => {
    const own = await openLink();
    const { url } = await startApi({ address: limitOf("", 120, own) }, [], UNKNOWN_SERVICE);
    const userId = `redis-dies-${randomUUID()}`;
    const deposit = (n: number) =>
      fetch(`${url}/api/v1/balances/${userId}/deposits`, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": `key-${n % 40}-${userId}` },
        body: JSON.stringify({ amount: "1.00" }),
      });
    const before = await statusesOf(Array.from({ length: 60 }, (_, n) => deposit(n)));
    own.close();
    const after = await statusesOf(Array.from({ length: 100 }, (_, n) => deposit(n)));
    const all = [...before, ...after];
    expect([count(all, 201), count(all, 429)]).toEqual([120, 40]);
    const { api } = await startApi({}, [], UNKNOWN_SERVICE);
    expect((await api.call("GET", `/api/v1/balances/${userId}?currency=RUB`)).body["available"]).toBe("40.00");
  });
});
