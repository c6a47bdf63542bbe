import { randomUUID } from "node:crypto";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../src/stack/free-port.ts";
import { TEST_RUN_PREFIX } from "../../src/stack/processes/throw-away.ts";
import { startStack } from "../../src/stack/stack.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";
import { startOwnRedis, type OwnRedis } from "./own-redis.ts";
import { roleSettings, startTestRole } from "./test-roles.ts";
import { until } from "./until.ts";

/** Processes of the api over one Postgres and one Redis, without Temporal and Kafka. */
export interface CacheSystem {
  readonly databaseUrl: string;
  readonly dataDir: string;
  readonly redis: OwnRedis;
  readonly apis: readonly { readonly url: string; readonly pid: number }[];
  stop(): Promise<void>;
}

/** Starts one process of the api for each of `settings`. Settles when all of them answer. Throws: StackError. */
export async function startCacheSystem(settings: readonly Readonly<Record<string, string>>[]): Promise<CacheSystem> {
  const cacheDir = process.env["CACHE_DIR"] ?? join(homedir(), ".cache", "saldo");
  const stack = await startStack({
    servers: ["postgres"],
    required: ["postgres"],
    dataDir: join(tmpdir(), `${TEST_RUN_PREFIX}cache-${randomUUID().slice(0, 8)}`),
    cacheDir,
    ephemeral: true,
    ports: "free",
    onKillable: (kill) => void process.once("exit", kill),
  });
  const { appUrl = "", adminUrl = "" } = stack.postgres ?? {};
  const redis = await startOwnRedis(cacheDir);
  await migrateDatabase({ adminUrl, appUrl });
  const { dataDir } = stack;
  const roles = await Promise.all(
    settings.map(async (own, place) => {
      const port = String(await freePort());
      const servers = { databaseUrl: appUrl, temporalAddress: "127.0.0.1:1", temporalNamespace: "default", kafkaBrokers: [] };
      const common = {
        NODE_ENV: "development",
        AUTH_MODE: "off",
        API_HOSTS_WORKER: "false",
        REDIS_URL: redis.url,
        HTTP_PORT: port,
        PURCHASES_PORT: "0",
        RATE_LIMIT_PER_MINUTE: "0",
        RATE_LIMIT_PER_USER: "0",
        OVERLOAD_TARGET_MS: "0",
        LOG_LEVEL: "warn",
      };
      const environment = { ...roleSettings(servers, { dataDir, settings: { ...common, ...own } }), KAFKA_BROKERS: undefined };
      return { url: `http://127.0.0.1:${port}`, role: startTestRole({ role: "api", name: `api-${place}`, environment, dataDir }) };
    }),
  );
  for (const { url } of roles)
    await until(`${url} answers`, () =>
      fetch(`${url}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  return {
    databaseUrl: appUrl,
    dataDir,
    redis,
    apis: roles.map(({ url, role }) => ({ url, pid: role.pid() ?? 0 })),
    async stop() {
      await Promise.all(roles.map(({ role }) => role.stop()));
      await redis.close();
      await stack.stop();
    },
  };
}
