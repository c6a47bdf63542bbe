import { describe, expect, it } from "vitest";
import { ROLE_ENTRIES } from "./role-entries.ts";
import { roleEnvironment, rolesFor, type PspAddress } from "./roles.ts";

const PATHS = { dataDir: "/data", cacheDir: "/cache", bundlePath: "/bundle.js", reportsDir: "/reports", keysDir: "/keys" };

function plan(psp: PspAddress) {
  const addresses = {
    databaseUrl: "postgres://app:secret@db/saldo",
    databaseAdminUrl: "postgres://admin:secret@db/saldo",
    temporalAddress: "temporal:7233",
    temporalNamespace: "default",
    kafkaBrokers: ["kafka:9092"],
    redisUrl: "redis://redis:6379",
    apiPort: 8080,
    purchasesPort: 8084,
    psp,
    metricsPorts: { worker: 9464, bridge: 9465, relay: 9466 },
  };
  const environment = roleEnvironment({}, addresses, PATHS);
  return new Map(
    rolesFor({ entries: ROLE_ENTRIES, addresses, environment, host: "127.0.0.1" }).roles.map((role) => [role.name, role.environment]),
  );
}

describe("the roles", () => {
  it("take payments at the simulator, which runs as a role and knows none of Saldo's own addresses", () => {
    const roles = plan({ url: "http://127.0.0.1:8090", apiKey: "a-key-of-its-own", port: 8090 });
    for (const name of ["api", "worker"])
      expect(roles.get(name)).toMatchObject({ PSP_URL: "http://127.0.0.1:8090", PSP_API_KEY: "a-key-of-its-own" });
    expect(roles.get("psp")).toMatchObject({ PSP_PORT: "8090", PSP_API_KEY: "a-key-of-its-own", DATA_DIR: "/data" });
    for (const name of ["DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL", "KAFKA_BROKERS", "TEMPORAL_ADDRESS"])
      expect(roles.get("psp")?.[name], name).toBeUndefined();
  });

  it("show their metrics each at a port of its own, but for the api, which shows them beside its routes", () => {
    const roles = plan({ url: "https://psp.example", apiKey: "a-key-of-theirs" });
    expect([...roles].map(([name, { METRICS_PORT: port }]) => [name, port])).toEqual([
      ["worker", "9464"],
      ["api", undefined],
      ["bridge", "9465"],
      ["relay", "9466"],
    ]);
  });

  it("take payments at the provider that is configured, and start none", () => {
    const roles = plan({ url: "https://psp.example", apiKey: "a-key-of-theirs" });
    expect(roles.has("psp")).toBe(false);
    expect(roles.get("worker")).toMatchObject({ PSP_URL: "https://psp.example", PSP_API_KEY: "a-key-of-theirs" });
  });
});
