import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { rotateSigningKey } from "../../src/adapters/tokens/signing-keys.ts";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { freePort } from "../../src/stack/free-port.ts";
import { startRedis, type RunningRedis } from "../../src/stack/servers/redis.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { EXPIRING_TABLES, pruneExpired } from "../../src/store/postgres/housekeeping.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createRealIdentities, type RealIdentities } from "../support/real-identity.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let reading: Database;
let identities: RealIdentities;
let folder: string;
let redisPort: number;
let redis: RunningRedis | undefined;
/** Two API processes, as far as tokens go. */
let here: TestApi;
let there: TestApi;
let http: HttpServer;
const apis: TestApi[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-revocation-"));
  [database, identities, redisPort] = await Promise.all([createTestDatabase(), createRealIdentities(), freePort()]);
  reading = createDatabase({ url: database.appUrl, name: "test", laneCount: 1, deadlineMs: 5_000 });
  await startOwnRedis();
  [here, there] = await Promise.all([openApi(), openApi()]);
  http = await listen(here.app, { host: "127.0.0.1", port: 0 });
});

afterAll(async () => {
  await http.close(0);
  await Promise.all([...apis.map((api) => api.close()), reading.close()]);
  await identities.close();
  await redis?.stop();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  if (redis === undefined) await startOwnRedis();
});

async function startOwnRedis(): Promise<void> {
  const context = { dataDir: folder, cacheDir: inject("cacheDir"), ephemeral: true, report: () => {} };
  redis = await startRedis(context, { port: redisPort });
}

async function killRedis(): Promise<void> {
  await redis?.stop();
  redis = undefined;
}

async function openApi(settings: { databaseUrl?: string } = {}): Promise<TestApi> {
  const { databaseUrl = database.appUrl } = settings;
  const opened = await identities.open({ databaseUrl, redisUrl: `redis://127.0.0.1:${redisPort}` });
  const api = createTestApi({ databaseUrl, authenticator: opened.authenticator, identity: opened.identity });
  apis.push(api);
  return api;
}

type Headers = { readonly authorization: string };
const statusAt = async (api: TestApi, headers: Headers) => (await api.call("GET", "/api/v1/auth/me", { headers })).status;
const logOut = async (headers: Headers) => (await here.call("POST", "/api/v1/auth/logout", { headers, key: null })).status;
const operator = () => identities.bearer("ops", ["admin"]);

describe("a token that was logged out in one process", () => {
  it("is refused at once in every other, by the mark in Redis that ends with it", async () => {
    const headers = await operator();
    expect([await statusAt(here, headers), await statusAt(there, headers)]).toEqual([200, 200]);
    expect(await logOut(headers)).toBe(204);
    expect([await statusAt(here, headers), await statusAt(there, headers)]).toEqual([401, 401]);
    const client = new Redis(redisPort);
    const payload = JSON.parse(Buffer.from(headers.authorization.split(".")[1] ?? "", "base64url").toString()) as {
      jti: string;
      exp: number;
    };
    expect(await client.get(`jwt:blacklist:${payload.jti}`)).toBe("1");
    const leftSeconds = () => payload.exp - Date.now() / 1_000;
    const mostSeconds = leftSeconds();
    const ttlSeconds = await client.ttl(`jwt:blacklist:${payload.jti}`);
    expect(ttlSeconds).toBeLessThan(mostSeconds + 2);
    expect(ttlSeconds).toBeGreaterThan(leftSeconds() - 2);
    client.disconnect();
  });

  it("is refused there within half a second when Redis is dead, and stays so", async () => {
    const headers = await operator();
    expect(await statusAt(there, headers)).toBe(200);
    await killRedis();
    expect(await logOut(headers)).toBe(204);
    const loggedOutAtMs = performance.now();
    expect(await statusAt(here, headers)).toBe(401);
    let lastPassedMs = 0;
    await until("it is refused there", async () => {
      const beganMs = performance.now() - loggedOutAtMs;
      const status = await statusAt(there, headers);
      if (status === 200) lastPassedMs = beganMs;
      return status === 401;
    });
    // How long an answer takes is the machine's affair; what counts is when the last request that passed was sent.
    expect(lastPassedMs).toBeLessThan(700);
    expect(await statusAt(await openApi(), headers)).toBe(401);
  });

  it("stays refused when Redis loses its marks, and when it comes back empty", async () => {
    const headers = await operator();
    expect(await logOut(headers)).toBe(204);
    const client = new Redis(redisPort);
    await client.flushall();
    client.disconnect();
    expect(await statusAt(await openApi(), headers)).toBe(401);
    await killRedis();
    await startOwnRedis();
    const fresh = await openApi();
    for (let time = 0; time < 3; time += 1) expect(await statusAt(fresh, headers)).toBe(401);
  });

  it("stays refused under load while Redis is killed: no request passes after the logout", async () => {
    const headers = await operator();
    const killing = killRedis();
    expect(await logOut(headers)).toBe(204);
    const after = await Promise.all(Array.from({ length: 200 }, () => statusAt(here, headers)));
    await killing;
    expect(new Set(after)).toEqual(new Set([401]));
  });
});

describe("a subject whose tokens were all revoked", () => {
  const revoke = (body: object, headers: Record<string, string>) =>
    here.call("POST", "/api/v1/auth/revocations", { body: { reason: "stolen", ...body }, headers, key: null });

  it.each(["service", "admin"] as const)("is refused everywhere with a stolen token of the role %s, and the act is kept", async (role) => {
    const subject = `stolen-${role}`;
    const stolen = await identities.bearer(subject, [role], 86_400_000);
    expect([await statusAt(here, stolen), await statusAt(there, stolen)]).toEqual([200, 200]);
    expect((await revoke({ subject }, await identities.bearer("shop", ["service"]))).status).toBe(403);
    expect((await revoke({ subject, reason: "a laptop was lost" }, await operator())).status).toBe(200);
    for (const api of [here, there]) await until("it is refused", async () => (await statusAt(api, stolen)) === 401);
    const [act] = await reading.db.execute(sql`
      select act, actor, reason from acts where subject_id = ${subject} and subject_type = 'user'`);
    expect(act).toEqual({ act: "tokens.revoked", actor: "ops", reason: "a laptop was lost" });
  });

  it("cannot go on with a refresh token either, and begins anew by logging in, in the same second", async () => {
    const user = { login: `user-${randomUUID()}`, password: "correct horse battery" };
    const post = (path: string, body: object) => here.call("POST", `/api/v1/auth/${path}`, { body, key: null });
    const { body: registered } = await post("register", user);
    const { body: session } = await post("login", user);
    const bearer = { authorization: `Bearer ${String(session["accessToken"])}` };
    expect((await revoke({ subject: registered["userId"] }, await operator())).status).toBe(200);
    expect(await statusAt(here, bearer)).toBe(401);
    expect((await post("refresh", { refreshToken: session["refreshToken"] })).body["code"]).toBe("INVALID_REFRESH_TOKEN");
    const { body: next } = await post("login", user);
    expect(await statusAt(here, { authorization: `Bearer ${String(next["accessToken"])}` })).toBe(200);
  });

  it("has nothing left that began before the act by the database's clock, also where the api's own clock is slow", async () => {
    const user = { login: `user-${randomUUID()}`, password: "correct horse battery" };
    const post = (path: string, body: object) => here.call("POST", `/api/v1/auth/${path}`, { body, key: null });
    const { body: registered } = await post("register", user);
    const { body: session } = await post("login", user);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 5_000 });
    try {
      expect((await revoke({ subject: registered["userId"] }, await operator())).status).toBe(200);
    } finally {
      vi.useRealTimers();
    }
    expect((await post("refresh", { refreshToken: session["refreshToken"] })).body["code"]).toBe("INVALID_REFRESH_TOKEN");
    const bearer = { authorization: `Bearer ${String(session["accessToken"])}` };
    await until("the session's token is refused", async () => (await statusAt(here, bearer)) === 401);
  });

  it("is not named without a reason, nor for a moment that has not come", async () => {
    const headers = await operator();
    const later = new Date(Date.now() + 60_000).toISOString();
    for (const [body, pointer] of [
      [{ subject: "x", reason: "" }, "/reason"],
      [{ subject: "x", upTo: later }, "/upTo"],
      [{ subject: ".." }, "/subject"],
    ] as const)
      expect((await revoke(body, headers)).body).toMatchObject({ status: 400, errors: [{ pointer }] });
  });

  it("gets no further with a token of before, but with a new one", async () => {
    const before = await identities.bearer("leaver", ["user"]);
    expect(await statusAt(here, before)).toBe(200);
    expect(await revoke({ subject: "leaver" }, await operator())).toMatchObject({ status: 200, body: { subject: "leaver" } });
    await until("the token of before is refused", async () => (await statusAt(here, before)) === 401);
    const earlier = await revoke({ subject: "leaver", upTo: "1970-01-01T00:00:00Z" }, await operator());
    expect(new Date(String(earlier.body["revokedUpTo"])).getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(await statusAt(here, before)).toBe(401);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    expect(await statusAt(here, await identities.bearer("leaver", ["user"]))).toBe(200);
  });
});

it("without Postgres nobody gets in and nobody is told that their token is bad", async () => {
  const away = await openApi({ databaseUrl: `postgres://app:secret@127.0.0.1:${await freePort()}/none` });
  const { status, headers, body } = await away.call("GET", "/api/v1/auth/me", { headers: await operator() });
  expect([status, body["code"]]).toEqual([503, "UNAVAILABLE"]);
  expect(headers.get("retry-after")).not.toBeNull();
  expect((await away.call("GET", "/api/v1/auth/me", { headers: { authorization: "Bearer a.b.c" } })).status).toBe(401);
  expect((await away.call("GET", "/.well-known/jwks.json")).status).toBe(200);
});

it("what has ended is forgotten, what has not is kept", async () => {
  const headers = await operator();
  await logOut(headers);
  for (const table of EXPIRING_TABLES) await pruneExpired(reading.db, table);
  expect(await statusAt(await openApi(), headers)).toBe(401);
});

/** What the server answers to these bytes, up to the end of the head. */
function exchange(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(http.port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      answer += chunk;
      if (answer.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(answer.split("\r\n", 1)[0] ?? ""));
    socket.on("error", reject);
  });
}

it("two Authorization headers are refused, in either order, also when one of them is good", async () => {
  const { authorization } = await operator();
  const request = (headers: readonly string[]) =>
    exchange(
      `GET /api/v1/auth/me HTTP/1.1\r\nhost: x\r\n${headers.map((value) => `authorization: ${value}\r\n`).join("")}connection: close\r\n\r\n`,
    );
  expect(await request([authorization])).toMatch(/ 200 /);
  for (const both of [
    [authorization, authorization],
    [authorization, "Bearer x"],
    ["Bearer x", authorization],
  ])
    expect(await request(both)).toMatch(/ 40[01] /);
  expect(await request([`Bearer ${"a".repeat(100_000)}`])).toMatch(/ (?:431|401) /);
});

it("a rotation of the keys refuses nobody under load, and both keys are published meanwhile", async () => {
  const published = async () =>
    ((await here.call("GET", "/.well-known/jwks.json")).body["keys"] as { kid: string }[]).map(({ kid }) => kid);
  const kidOf = ({ authorization }: Headers) =>
    (JSON.parse(Buffer.from(authorization.slice(7).split(".")[0] ?? "", "base64url").toString()) as { kid: string }).kid;
  const [first] = await published();
  // The clock of the one who rotates stands so that the next key signs fifteen seconds from now instead of five minutes: long enough for
  // both processes to read it first, also on a slow machine.
  const { kid: second } = await rotateSigningKey(identities.keysDir, { now: () => Date.now() - 295_000 });
  const signed = new Map<string, number>();
  const statuses = new Map<number, number>();
  const startedAtMs = performance.now();
  // On a slow machine the next key begins to sign late; the load goes on until it has.
  const goesOn = () => performance.now() - startedAtMs < ((signed.get(second) ?? 0) > 5 ? 18_000 : 50_000);
  const client = async () => {
    while (goesOn()) {
      const headers = await operator();
      signed.set(kidOf(headers), (signed.get(kidOf(headers)) ?? 0) + 1);
      for (const api of [here, there]) {
        const status = await statusAt(api, headers);
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }
  };
  await Promise.all(Array.from({ length: 4 }, client));
  expect([...statuses.keys()]).toEqual([200]);
  expect(await published()).toEqual([first, second]);
  expect([...signed.keys()]).toEqual([first, second]);
}, 90_000);
