import { expect, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import type { DependencyCheck } from "../../src/api/deps.ts";
import { loadConfig } from "../../src/config.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { dependencyChecks } from "./dependency-checks.ts";

const NOBODY = "postgres://nobody:nothing@127.0.0.1:1/none";
const KEYS = `k1:${Buffer.alloc(32, 1).toString("base64")}`;

test.each([
  [{}, "off: Temporal keeps them in the open"],
  [
    { TEMPORAL_PAYLOAD_ENCRYPTION: "accept-plain", TEMPORAL_PAYLOAD_KEYS: KEYS },
    "accept-plain: written with the key k1; what is in the open is read",
  ],
])("readiness says of Temporal whether payloads are encrypted, by the key's name: %#", async (variables, payloads) => {
  expect(await detailsOf("temporal", variables)).toEqual({ payloads });
});

const PSP = { PSP_URL: "https://psp.example:8443/base", PSP_API_KEY: "0123456789abcdef" };

test.each([
  [{}, undefined],
  [PSP, { provider: "http at psp.example:8443" }],
  [{ ...PSP, PSP_KIND: "simulator" }, { provider: "simulator (confirms cards, moves no money) at psp.example:8443" }],
  [{ PSP_KIND: "stripe", STRIPE_SECRET_KEY: "sk_live_0123456789abcdef" }, { provider: "stripe at api.stripe.com" }],
])("readiness names the payment provider by kind and host, never by its key: %#", async (variables, details) => {
  expect(await detailsOf("psp", variables)).toEqual(details);
});

test("nothing is asked of Stripe to see whether it is there", async () => {
  const away = { PSP_KIND: "stripe", STRIPE_SECRET_KEY: "sk_test_0123456789abcdef", STRIPE_API_URL: "http://127.0.0.1:1" };
  await withChecks(away, (checks) => expect(checkOf(checks, "psp")?.check()).resolves.toBeUndefined());
  await withChecks({ ...PSP, PSP_URL: "http://127.0.0.1:1" }, (checks) =>
    expect(checkOf(checks, "psp")?.check()).rejects.toThrow(/ECONNREFUSED/),
  );
});

const checkOf = (checks: readonly DependencyCheck[], part: string) => checks.find(({ name }) => name === part);

function detailsOf(part: string, variables: Record<string, string>) {
  return withChecks(variables, async (checks) => await checkOf(checks, part)?.details?.());
}

async function withChecks<T>(variables: Record<string, string>, use: (checks: readonly DependencyCheck[]) => Promise<T>): Promise<T> {
  const database = createDatabase({ url: NOBODY, name: "probe", laneCount: 1, deadlineMs: 1_000 });
  try {
    return await use(
      dependencyChecks({
        config: loadConfig({ DATABASE_URL: NOBODY, ...variables }, "/nonexistent"),
        db: database.db,
        redis: openRedis({ url: undefined, logger: SILENT_LOG }),
        temporal: () => undefined,
        kafka: { ping: async () => {} },
        readLag: async () => [],
      }),
    );
  } finally {
    await database.close();
  }
}
