import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createMachineClient } from "../support/machine-client.ts";
import { startOwnRedis, type OwnRedis } from "../support/own-redis.ts";
import { createRealIdentities, type RealIdentities } from "../support/real-identity.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

/** Every process must refuse within this time. */
const WITHIN_MS = 1_000;
const PASSWORD = "correct horse battery";

type Headers = { readonly authorization: string };

/** A credential that is good in every process, and the act that ends it. */
interface Case {
  readonly headers: Headers;
  readonly end: () => Promise<number>;
  /** What else must be refused once it has ended. */
  readonly alsoRefused?: (api: TestApi) => Promise<number[]>;
}

let database: TestDatabase;
let identities: RealIdentities;
beforeAll(async () => {
  [database, identities] = await Promise.all([createTestDatabase(), createRealIdentities()]);
});
afterAll(async () => {
  await identities.close();
  await database.drop();
});

const operator = () => identities.bearer("ops", ["admin"]);
const { asAdmin, makeKey, tokenOf, askToken } = createMachineClient(operator);
const statusAt = async (api: TestApi, headers: Headers) => (await api.call("GET", "/api/v1/auth/me", { headers })).status;

const revoke = async (api: TestApi, keyId: string) => (await asAdmin(api, "DELETE", `/${keyId}`)).status;
const auth = (api: TestApi, path: string, body: object, headers = {}) =>
  api.call("POST", `/api/v1/auth/${path}`, { body, headers, key: null });
const endSubject = async (api: TestApi, subject: string) =>
  (await auth(api, "revocations", { subject, reason: "stolen" }, await operator())).status;

const CASES: Readonly<Record<string, (api: TestApi) => Promise<Case>>> = {
  "an API key that was revoked": async (api) => {
    const key = await makeKey(api);
    return {
      headers: key.bearer,
      end: () => revoke(api, key.keyId),
      alsoRefused: async (other) => [
        (await askToken(other, { grant_type: "client_credentials", client_id: key.keyId, client_secret: key.clientSecret })).status,
      ],
    };
  },
  "a token that was got with an API key that was revoked": async (api) => {
    const key = await makeKey(api);
    return { headers: await tokenOf(api, key), end: () => revoke(api, key.keyId) };
  },
  "a secret that was replaced without an overlap": async (api) => {
    const key = await makeKey(api);
    const end = async () => (await asAdmin(api, "POST", `/${key.keyId}/rotate`, { overlapSeconds: 0 })).status - 1;
    return { headers: key.bearer, end };
  },
  "a token that was got with a secret that was replaced without an overlap": async (api) => {
    const key = await makeKey(api);
    const end = async () => (await asAdmin(api, "POST", `/${key.keyId}/rotate`, { overlapSeconds: 0 })).status - 1;
    return { headers: await tokenOf(api, key), end };
  },
  "a token of a subject whose tokens were all ended": async (api) => {
    const subject = `service-${randomUUID()}`;
    return { headers: await identities.bearer(subject, ["service"]), end: () => endSubject(api, subject) };
  },
  "an API key of a subject whose tokens were all ended": async (api) => {
    const subject = `service-${randomUUID()}`;
    const key = await makeKey(api, { subject });
    return { headers: key.bearer, end: () => endSubject(api, subject) };
  },
  "a login that was disabled": async (api) => {
    const login = { login: `user-${randomUUID()}`, password: PASSWORD };
    const { userId } = (await auth(api, "register", login)).body as { userId: string };
    const { body: session } = await auth(api, "login", login);
    return {
      headers: { authorization: `Bearer ${String(session["accessToken"])}` },
      end: async () => (await auth(api, `users/${userId}/disable`, { reason: "left" }, await operator())).status,
      alsoRefused: async (other) => [
        (await auth(other, "login", login)).status,
        (await auth(other, "refresh", { refreshToken: session["refreshToken"] })).status,
        await statusAt(other, await identities.bearer(userId, ["user"])),
      ],
    };
  },
};

describe.each(["up", "killed", "paused", "a read-only replica"] as const)("while Redis is %s", (state) => {
  let redis: OwnRedis;
  let here: TestApi;
  let there: TestApi;
  let isClosed = false;

  beforeAll(async () => {
    redis = await startOwnRedis(inject("cacheDir"));
    const openApi = async () => {
      const opened = await identities.open({
        databaseUrl: database.appUrl,
        redisUrl: redis.url,
        settings: { LOGIN_FAILURES_PER_15_MINUTES: "0" },
      });
      return createTestApi({ databaseUrl: database.appUrl, authenticator: opened.authenticator, identity: opened.identity });
    };
    [here, there] = await Promise.all([openApi(), openApi()]);
    // Both have used it before it fails them.
    for (const api of [here, there]) await statusAt(api, await operator());
    if (state === "killed") {
      await redis.close();
      isClosed = true;
    }
    if (state === "paused") await redis.pause();
    if (state === "a read-only replica") {
      await redis.becomeReplica();
    }
  }, 60_000);
  afterAll(async () => {
    await Promise.all([here.close(), there.close()]);
    if (state === "paused") redis.goOn();
    if (!isClosed) await redis.close();
  });

  it.runIf(state === "a read-only replica")("Redis refuses writes", async () => {
    await expect(redis.client.set("x", "1")).rejects.toThrow(/READONLY/);
  });

  it.each(Object.entries(CASES))("%s is refused in both processes within a second, and stays so", async (_, prepare) => {
    const { headers, end, alsoRefused } = await prepare(here);
    for (const api of [here, there]) expect(await statusAt(api, headers)).toBe(200);
    expect(await end()).toBe(200);
    const endedAtMs = performance.now();
    const lastPassedMs = await Promise.all(
      [here, there].map(async (api) => {
        let lastMs = 0;
        await until("it is refused", async () => {
          const beganMs = performance.now() - endedAtMs;
          const status = await statusAt(api, headers);
          expect([200, 401]).toContain(status);
          if (status === 200) lastMs = beganMs;
          return status === 401;
        });
        return lastMs;
      }),
    );
    // How long an answer takes is the machine's affair; what counts is when the last request that passed was sent.
    for (const ms of lastPassedMs) expect(ms).toBeLessThan(WITHIN_MS);
    for (const api of [here, there]) {
      expect(await statusAt(api, headers)).toBe(401);
      for (const status of (await alsoRefused?.(api)) ?? []) expect(status).toBe(401);
    }
  });
});
