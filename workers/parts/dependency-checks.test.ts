import { expect, test } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { loadConfig } from "../../src/config.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { dependencyChecks } from "./dependency-checks.ts";

const KEYS = `k1:${Buffer.alloc(32, 1).toString("base64")}`;

test.each([
  [{}, "off: Temporal keeps them in the open"],
  [
    { TEMPORAL_PAYLOAD_ENCRYPTION: "accept-plain", TEMPORAL_PAYLOAD_KEYS: KEYS },
    "accept-plain: written with the key k1; what is in the open is read",
  ],
])("readiness says of Temporal whether payloads are encrypted, by the key's name: %#", async (variables, payloads) => {
  const url = "postgres://nobody:nothing@127.0.0.1:1/none";
  const database = createDatabase({ url, name: "probe", laneCount: 1, deadlineMs: 1_000 });
  const checks = dependencyChecks({
    config: loadConfig({ DATABASE_URL: url, ...variables }, "/nonexistent"),
    db: database.db,
    redis: openRedis({ url: undefined, logger: SILENT_LOG }),
    temporal: () => undefined,
    kafka: { ping: async () => {} },
    readLag: async () => [],
  });
  expect(await checks.find(({ name }) => name === "temporal")?.details?.()).toEqual({ payloads });
  await database.close();
});
