import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, describeConfig, hideSecret, loadConfig } from "./config.ts";

let empty: string;
let folder: string;

beforeAll(() => {
  empty = mkdtempSync(join(tmpdir(), "saldo-config-"));
  folder = mkdtempSync(join(tmpdir(), "saldo-config-"));
});

afterAll(() => {
  rmSync(empty, { recursive: true });
  rmSync(folder, { recursive: true });
});

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment, empty);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("the configuration", () => {
  it("has a working default for everything", () => {
    expect(loadConfig({}, empty)).toMatchObject({
      HTTP_PORT: 8080,
      PURCHASES_PORT: 8084,
      HTTP_HOST: "127.0.0.1",
      KAFKA_TOPIC: "purchases",
      KAFKA_GROUP: "purchase-processor-group",
      DEFAULT_CURRENCY: "RUB",
      REPORT_TZ: "Europe/Moscow",
      RESERVATION_TTL_MS: 600_000,
    });
  });

  it("reports every problem at once, by variable and without its value", () => {
    const problems = problemsOf({
      HTTP_PORT: "eighty",
      DATABASE_URL: "mysql://root:s3cret@host/db",
      REPORT_TZ: "Mars/Olympus",
      DEFAULT_CURRENCY: "DOGE",
    });
    expect(problems.map((problem) => problem.split(":")[0]).sort((a, b) => (a ?? "").localeCompare(b ?? ""))).toEqual([
      "DATABASE_URL",
      "DEFAULT_CURRENCY",
      "HTTP_PORT",
      "REPORT_TZ",
    ]);
    expect(problems.join()).not.toMatch(/s3cret|eighty|DOGE/);
  });

  it("refuses an address other machines can reach while there is no authentication", () => {
    expect(problemsOf({ HTTP_HOST: "0.0.0.0" })).toHaveLength(1);
    expect(problemsOf({ HTTP_HOST: "0.0.0.0", ALLOW_INSECURE_BIND: "container" })).toHaveLength(0);
  });

  it("takes the environment before .env, and .env before the YAML file", () => {
    writeFileSync(join(folder, ".env"), "HTTP_PORT=1111\nKAFKA_GROUP=from-dotenv\n");
    writeFileSync(join(folder, "saldo.yaml"), "HTTP_PORT: 2222\nKAFKA_GROUP: from-yaml\nKAFKA_TOPIC: from-yaml\n");
    const config = loadConfig({ HTTP_PORT: "3333", SALDO_CONFIG: join(folder, "saldo.yaml") }, folder);
    expect([config.HTTP_PORT, config.KAFKA_GROUP, config.KAFKA_TOPIC]).toEqual([3333, "from-dotenv", "from-yaml"]);
  });

  it("takes an empty variable for one that is not set", () => {
    expect(loadConfig({ REDIS_URL: "", HTTP_PORT: "" }, empty).HTTP_PORT).toBe(8080);
  });

  it("shows addresses without their passwords", () => {
    const shown = describeConfig(
      loadConfig({ DATABASE_URL: "postgres://app:s3cret@db/saldo", REDIS_URL: "redis://:hush@cache:6379" }, empty),
    );
    expect(JSON.stringify(shown)).not.toMatch(/s3cret|hush/);
    expect(hideSecret("postgres://app:s3cret@db/saldo")).toBe("postgres://app:***@db/saldo");
  });
});
