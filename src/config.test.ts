import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, DEFAULT_KAFKA_BROKERS, describeConfig, hideSecret, loadConfig } from "./config.ts";
import { deadLetterTopic, OWN_TOPICS, topicsOf } from "./contract/topics.ts";

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
  it("has the names of the earlier purchase service as defaults", () => {
    expect([DEFAULT_KAFKA_BROKERS, loadConfig({}, empty).KAFKA_TOPIC, loadConfig({}, empty).KAFKA_GROUP]).toEqual([
      "kafka:9092",
      "purchases",
      "purchase-processor-group",
    ]);
  });

  it("takes lists with commas, and no list member that is none", () => {
    const config = loadConfig({ TRUSTED_PROXIES: " 10.0.0.0/8, ::1,", CORS_ORIGINS: "https://shop.example,http://localhost:3000" }, empty);
    expect(config.TRUSTED_PROXIES).toEqual(["10.0.0.0/8", "::1"]);
    expect(config.CORS_ORIGINS).toEqual(["https://shop.example", "http://localhost:3000"]);
    expect(loadConfig({}, empty)).toMatchObject({ TRUSTED_PROXIES: [], CORS_ORIGINS: [], RATE_LIMIT_PER_MINUTE: 6_000 });
    for (const proxies of ["proxy.example", "10.0.0.0/33", "10.0.0.0/x", "10.0.0.1;10.0.0.2"])
      expect(problemsOf({ TRUSTED_PROXIES: proxies })).toHaveLength(1);
    for (const origins of ["*", "https://shop.example/", "shop.example", "null"])
      expect(problemsOf({ CORS_ORIGINS: origins })).toHaveLength(1);
    expect(problemsOf({ METRICS_TOKEN: "short" })).toHaveLength(1);
  });

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

  it("refuses one port for two servers, but not two that are free to choose", () => {
    expect(problemsOf({ HTTP_PORT: "8084" })).toEqual(["PURCHASES_PORT: must not be the same as HTTP_PORT"]);
    expect(problemsOf({ HTTP_PORT: "0", PURCHASES_PORT: "0" })).toEqual([]);
  });

  it("refuses an address other machines can reach without authentication", () => {
    expect(problemsOf({ HTTP_HOST: "0.0.0.0" })).toEqual([]);
    expect(problemsOf({ HTTP_HOST: "0.0.0.0", AUTH_MODE: "off" })).toEqual(["HTTP_HOST: must be a loopback address with AUTH_MODE=off"]);
    expect(problemsOf({ HTTP_HOST: "0.0.0.0", AUTH_MODE: "off", ALLOW_INSECURE_BIND: "container" })).toEqual([]);
    for (const host of ["127.0.0.1", "localhost", "::1"]) expect(problemsOf({ HTTP_HOST: host, AUTH_MODE: "off" }), host).toEqual([]);
  });

  it("takes an external issuer as a whole, over https, and never Saldo's own name", () => {
    const whole = { AUTH_JWKS_URL: "https://id.example/jwks", AUTH_EXTERNAL_ISSUER: "https://id.example", AUTH_EXTERNAL_AUDIENCE: "saldo" };
    expect(problemsOf(whole)).toEqual([]);
    expect(problemsOf({ AUTH_JWKS_URL: whole.AUTH_JWKS_URL })).toHaveLength(2);
    expect(problemsOf({ ...whole, AUTH_JWKS_URL: "http://id.example/jwks" })).toHaveLength(1);
    expect(problemsOf({ ...whole, AUTH_JWKS_URL: "http://127.0.0.1:9/jwks" })).toEqual([]);
    expect(problemsOf({ ...whole, AUTH_EXTERNAL_ISSUER: "saldo" })).toHaveLength(1);
  });

  it("shows no token", () => {
    expect(JSON.stringify(describeConfig(loadConfig({ SALDO_TOKEN: "s3cret-token" }, empty)))).not.toContain("s3cret");
  });

  it("never pays its own commands, and gives each topic a name and a group of its own", () => {
    expect(problemsOf({ ORDER_PAYMENT: "saga-commands" })).toEqual([expect.stringMatching(/^SAGA_COMMANDS: must be ignore/)]);
    expect(problemsOf({ ORDER_PAYMENT: "saga-commands", SAGA_COMMANDS: "ignore" })).toEqual([]);
    expect(problemsOf({ LOYALTY_TOPIC: "purchases" })).toHaveLength(1);
    expect(problemsOf({ KAFKA_TOPIC: "saga.replies" })).toHaveLength(1);
    expect(problemsOf({ LOYALTY_GROUP: "purchase-processor-group" })).toHaveLength(1);
  });

  it("lets no event come in on a topic that Saldo writes, by any variable", () => {
    const variables = ["KAFKA_TOPIC", "LOYALTY_TOPIC", "ORDERS_TOPIC"] as const;
    const config = loadConfig({}, empty);
    const incoming = new Set(variables.map((variable) => config[variable]));
    const made = topicsOf(config).flatMap(({ topic }) => (incoming.has(topic) ? [] : [topic]));
    expect(made).toEqual(expect.arrayContaining([...OWN_TOPICS]));
    // The dead letters of a topic named saga would stand among those of the saga topics.
    for (const topic of [...OWN_TOPICS, ...made, ...OWN_TOPICS.map(deadLetterTopic), "dlq.anything", "saga"])
      for (const variable of variables)
        expect(problemsOf({ [variable]: topic }), `${variable}=${topic}`).toEqual([expect.stringMatching(`^${variable}: .*own topics`)]);
    expect(problemsOf({ KAFKA_TOPIC: "dlq", LOYALTY_TOPIC: "notifications.of.others", ORDERS_TOPIC: "events" })).toEqual([]);
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

  // colinhacks/zod#2461: the coercion makes 0 of blanks, and 0 stands for "no limit".
  it("takes a blank variable for one that is not set, and never for 0", () => {
    const blank = { RATE_LIMIT_LOGIN: " ", LOGIN_FAILURES_PER_15_MINUTES: "\t", RESERVATION_GRACE_MS: "\u00a0" };
    expect(loadConfig(blank, empty)).toMatchObject({
      RATE_LIMIT_LOGIN: 30,
      LOGIN_FAILURES_PER_15_MINUTES: 10,
      RESERVATION_GRACE_MS: 60_000,
    });
  });

  it.each(["0x10", "1e3", "6_000", "1.0", "-1", "10m", "Infinity", "１０"])("does not take %s for a whole number", (text) => {
    expect(problemsOf({ RATE_LIMIT_PER_MINUTE: text })).toEqual(["RATE_LIMIT_PER_MINUTE: must be a whole number such as 600000"]);
  });

  // eemeli/yaml#118: a number of YAML loses its zeros in front, and its last digits beyond 2^53.
  it.each([
    ["METRICS_TOKEN: 12345678901234567890", { METRICS_TOKEN: "12345678901234567890" }],
    ["METRICS_TOKEN: 0012345678901234", { METRICS_TOKEN: "0012345678901234" }],
    ["KAFKA_GROUP: 1.10", { KAFKA_GROUP: "1.10" }],
    ["KAFKA_TOPIC: 1e3", { KAFKA_TOPIC: "1e3" }],
    ["AUTH_AUDIENCE: 0x1F", { AUTH_AUDIENCE: "0x1F" }],
    ["LOG_PRETTY: True", { LOG_PRETTY: true }],
    ["KAFKA_GROUP:\nRATE_LIMIT_LOGIN: ~", { KAFKA_GROUP: "purchase-processor-group", RATE_LIMIT_LOGIN: 30 }],
    ["# nothing", { HTTP_PORT: 8080 }],
  ])("reads the YAML file as it is written: %s", (yaml, expected) => {
    writeFileSync(join(folder, "written.yaml"), yaml);
    expect(loadConfig({ SALDO_CONFIG: join(folder, "written.yaml") }, empty)).toMatchObject(expected);
  });

  it.each(["KAFKA_GROUP: [a, b]", "KAFKA_GROUP:\n  name: a", "- KAFKA_GROUP", "just text"])(
    "takes a YAML file of one level only: %j",
    (yaml) => {
      writeFileSync(join(folder, "deep.yaml"), yaml);
      expect(problemsOf({ SALDO_CONFIG: join(folder, "deep.yaml") })).toEqual([
        expect.stringMatching(/must hold one level of NAME: value$/),
      ]);
    },
  );

  // t8y2/dbx#1210: addresses as other clients take them have parameters that no server knows, and then nothing can be read or written.
  it("takes an address of Postgres as other clients do, and names the parameter that it cannot keep", () => {
    const address = "postgres://app:s3cret@db/saldo";
    const kept = loadConfig({ DATABASE_URL: `${address}?schema=public&sslmode=require&keepalives=1` }, empty).DATABASE_URL;
    expect(kept).toBe(`${address}?sslmode=require`);
    expect(problemsOf({ DATABASE_URL: "postgres://app:50%off@db/saldo" })).toEqual([expect.stringMatching("% is written %25")]);
    for (const variable of ["DATABASE_URL", "DATABASE_ADMIN_URL"])
      expect(problemsOf({ [variable]: `${address}?channel_binding=require` })).toEqual([
        expect.stringMatching(`^${variable}: must not have the parameter channel_binding,.*sslmode=verify-full`),
      ]);
  });

  it("takes the address clients reach the API at with or without its scheme, and gives it without a slash at the end", () => {
    const given = ["https://pay.example/", "pay.example:8080", "0.0.0.0:8080/"].map(
      (text) => loadConfig({ SERVER_URL: text }, empty).SERVER_URL,
    );
    expect(given).toEqual(["https://pay.example", "http://pay.example:8080", "http://0.0.0.0:8080"]);
    expect(loadConfig({}, empty).SERVER_URL).toBeUndefined();
    expect(problemsOf({ SERVER_URL: "not an address" })).toEqual(["SERVER_URL: is not an address such as https://pay.example"]);
  });

  it("shows addresses without their passwords", () => {
    const shown = describeConfig(
      loadConfig({ DATABASE_URL: "postgres://app:s3cret@db/saldo", REDIS_URL: "redis://:hush@cache:6379" }, empty),
    );
    expect(JSON.stringify(shown)).not.toMatch(/s3cret|hush/);
    expect(hideSecret("postgres://app:s3cret@db/saldo")).toBe("postgres://app:***@db/saldo");
    // Taken by Node and the driver as it is: the last @ ends the password.
    expect(hideSecret("postgres://app:s3@cr@et@db:5432/saldo redis://:p@w@r:1")).toBe("postgres://app:***@db:5432/saldo redis://:***@r:1");
  });
});
