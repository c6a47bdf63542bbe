import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv, type Schema } from "ajv";
import { expect, test } from "vitest";
import { parseDocument } from "yaml";
import { ROLE_ENTRIES, PROJECT_DIR } from "../src/cli/start/role-entries.ts";
import { loadConfig } from "../src/config.ts";
import { PSP_SETTINGS } from "../src/config/psp-settings.ts";
import { readSearchAttributes } from "../src/stack/servers/temporal-config.ts";
import { compose, production } from "./support/compose-files.ts";
import { makeThrowawayCa, type PemPair } from "./support/throwaway-ca.ts";

const fileOf = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const TEXT = readFileSync(fileOf("docker-compose.yml"), "utf8");
const services = Object.entries(compose.services);
const config = loadConfig({}, "/nonexistent");

/** For a secret that may be left out, and has no value that could be offered. */
const SOME_SECRET = Buffer.alloc(32).toString("base64");

const strings = { type: "array", items: { type: "string" } } as const;
const duration = { type: "string", pattern: "^([0-9]+(ms|s|m|h))+$" } as const;

// The part of the Compose Specification that the file uses; a key it does not know is a mistyped one.
const SCHEMA: Schema = {
  type: "object",
  required: ["services"],
  additionalProperties: false,
  patternProperties: { "^x-": {} },
  properties: {
    name: { type: "string", pattern: "^[a-z0-9][a-z0-9_-]*$" },
    volumes: { type: "object", additionalProperties: { type: ["object", "null"] } },
    services: {
      type: "object",
      propertyNames: { pattern: "^[a-zA-Z0-9._-]+$" },
      additionalProperties: {
        type: "object",
        required: ["image", "restart"],
        additionalProperties: false,
        properties: {
          image: { type: "string" },
          build: { type: "string" },
          init: { type: "boolean" },
          read_only: { type: "boolean" },
          command: strings,
          entrypoint: strings,
          tmpfs: strings,
          cap_drop: strings,
          security_opt: strings,
          volumes: strings,
          shm_size: { type: "string" },
          stop_signal: { type: "string", pattern: "^SIG" },
          stop_grace_period: duration,
          restart: { type: "string", pattern: "^(no|always|unless-stopped|on-failure(:[0-9]+)?)$" },
          ports: { type: "array", items: { type: "string", pattern: "^127\\.0\\.0\\.1:\\$\\{[A-Z_]+:-[0-9]+\\}:[0-9]+$" } },
          environment: { type: "object", additionalProperties: { type: ["string", "number"] } },
          logging: {
            type: "object",
            required: ["driver"],
            properties: { driver: { type: "string" }, options: { type: "object", additionalProperties: { type: "string" } } },
            additionalProperties: false,
          },
          depends_on: {
            type: "object",
            additionalProperties: {
              type: "object",
              required: ["condition"],
              additionalProperties: false,
              properties: { condition: { enum: ["service_started", "service_healthy", "service_completed_successfully"] } },
            },
          },
          healthcheck: {
            type: "object",
            required: ["test", "interval", "timeout", "retries"],
            additionalProperties: false,
            properties: { test: strings, interval: duration, timeout: duration, start_period: duration, retries: { type: "integer" } },
          },
        },
      },
    },
  },
};

test("the file is YAML without a mistake and has no key and no shape but those listed here, which are the Compose Specification's", () => {
  expect(parseDocument(TEXT, { merge: true }).errors).toEqual([]);
  const validate = new Ajv({ allErrors: true, strict: false }).compile(SCHEMA);
  validate(compose);
  expect(validate.errors).toBeNull();
});

test("every port is published on loopback only and is the default of the configuration", () => {
  const published = Object.fromEntries(
    services
      .flatMap(([, service]) => service.ports ?? [])
      .map((text) => /^127\.0\.0\.1:\$\{(\w+):-(\d+)\}/.exec(text)?.slice(1, 3) ?? []) as [string, string][],
  );
  const expected = (
    ["HTTP_PORT", "PURCHASES_PORT", "POSTGRES_PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT", "KAFKA_PORT", "REDIS_PORT", "PSP_PORT"] as const
  ).map((name) => [name, String(config[name])]);
  expect(published).toEqual(Object.fromEntries(expected));
});

test("every role is there, started from the same file as by npm start", () => {
  for (const [role, entry] of Object.entries(ROLE_ENTRIES)) {
    expect(compose.services[role]?.command).toEqual([entry.slice(PROJECT_DIR.length)]);
    expect(compose.services[role]?.restart).toBe("unless-stopped");
  }
  expect(compose.services["migrate"]?.command).toEqual(["src/cli/migrate.ts"]);
  expect(existsSync(fileOf("src/cli/migrate.ts"))).toBe(true);
});

test("every image is pinned to a version, none is the deprecated one that sets itself up", () => {
  for (const [name, { image = "", build }] of services) {
    expect(image, name).not.toContain("auto-setup");
    if (build === undefined) expect(image, name).toMatch(/:\d+(\.\d+)+(-[\w.]+)?$/);
    else expect(image, name).toBe("saldo:local");
  }
});

test("what is waited for is there and can come true", () => {
  for (const [name, service] of services)
    for (const [target, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = compose.services[target];
      expect(other, `${name} waits for ${target}`).toBeDefined();
      if (condition === "service_healthy") expect(other?.healthcheck, target).toBeDefined();
      if (condition === "service_completed_successfully") expect(other?.restart, target).toMatch(/^on-failure/);
    }
});

test("roles wait for the migrations, migrations for the namespace with its search attributes", () => {
  for (const role of Object.keys(ROLE_ENTRIES).filter((name) => name !== "psp"))
    expect(compose.services[role]?.depends_on?.["migrate"]?.condition).toBe("service_completed_successfully");
  expect(compose.services["migrate"]?.depends_on?.["temporal-namespace"]?.condition).toBe("service_completed_successfully");
});

test("volumes are declared, and files that are mounted are in the repository", () => {
  for (const source of services.flatMap(([, service]) => service.volumes ?? []).map((volume) => volume.split(":")[0] ?? ""))
    if (source.startsWith("./")) expect(existsSync(fileOf(source)), source).toBe(true);
    else expect(Object.keys(compose.volumes)).toContain(source);
});

test("Postgres keeps its data where version 18 writes it, and nothing makes a commit less durable", () => {
  expect(compose.services["postgres"]?.image).toMatch(/^postgres:18/);
  expect(compose.services["postgres"]?.volumes).toContain("postgres:/var/lib/postgresql");
  expect(TEXT).not.toMatch(/fsync=off|synchronous_commit=|full_page_writes=off/);
});

test("passwords and keys come from .env, and .env.example names each of them", () => {
  const example = readFileSync(fileOf(".env.example"), "utf8");
  const secrets = [...TEXT.matchAll(/\$\{(\w*(?:PASSWORD|API_KEY))(:\?[^}]*)?\}/g)];
  expect(secrets.length).toBeGreaterThan(3);
  for (const [, name = "", required] of secrets) {
    expect(required, name).toBeDefined();
    expect(example).toMatch(new RegExp(`^${name}=`, "m"));
  }
});

test("only migrations know the superuser; roles are configured as the configuration reads it", () => {
  for (const [name, { environment = {} }] of services)
    if (name !== "migrate") expect(environment, name).not.toHaveProperty("DATABASE_ADMIN_URL");
  for (const role of [...Object.keys(ROLE_ENTRIES), "migrate"]) {
    const environment = Object.entries(compose.services[role]?.environment ?? {}).map(([name, value]): [string, string] => [
      name,
      String(value)
        .replace("${PSP_KIND:-}", "stripe")
        .replace(/\$\{\w+:-\}/, SOME_SECRET)
        .replace(/\$\{\w+:-([^}]*)\}/, "$1")
        .replace(/\$\{(\w+):\?[^}]*\}/, "secret-of-16-chars"),
    ]);
    const hasFile = (name: string) => environment.some(([other]) => other === `${name}_FILE`);
    // A secret stands in a variable or in a file, never in both.
    for (const isLeftOut of [hasFile, (name: string) => name.endsWith("_FILE")]) {
      const given = environment.filter(([name]) => !isLeftOut(name));
      const read = loadConfig(Object.fromEntries(given), "/nonexistent") as Record<string, unknown>;
      for (const [name] of given) expect(read, `${role} sets ${name}, which the configuration does not know`).toHaveProperty(name);
    }
  }
});

test("every role asks for tokens, and only the api and the migration, which makes the first one, hold the keys", () => {
  for (const [name, { environment = {}, volumes = [] }] of services) {
    expect(environment, name).not.toHaveProperty("AUTH_MODE");
    if (name !== "psp") expect(environment, name).not.toHaveProperty("ALLOW_INSECURE_BIND");
    const holdsKeys = ["api", "migrate"].includes(name);
    expect(volumes.includes("keys:/var/lib/saldo-keys"), name).toBe(holdsKeys);
    expect(environment["AUTH_KEYS_DIR"], name).toBe(holdsKeys ? "/var/lib/saldo-keys" : undefined);
  }
  expect(readFileSync(fileOf("Dockerfile"), "utf8")).toContain("chown -R node:node /var/lib/saldo /var/lib/saldo-keys");
});

test("the payment provider is a house of its own, and whoever pays knows where it is", () => {
  const { environment = {}, volumes, depends_on } = compose.services["psp"] ?? {};
  expect(Object.keys(environment).toSorted()).toEqual(
    ["ALLOW_INSECURE_BIND", "DATA_DIR", "LOG_LEVEL", "NODE_ENV", "PSP_API_KEY", "PSP_HOST", "PSP_KIND", "PSP_PORT"].toSorted(),
  );
  expect(environment).toMatchObject({ PSP_HOST: "0.0.0.0", ALLOW_INSECURE_BIND: "container", DATA_DIR: "/var/lib/saldo-psp" });
  expect(volumes).toEqual(["psp:/var/lib/saldo-psp"]);
  expect(depends_on).toEqual({});
  const image = readFileSync(fileOf("Dockerfile"), "utf8");
  expect(image).toMatch(/chown -R node:node .*\/var\/lib\/saldo-psp$/m);
  for (const [name, service] of services) {
    const pays = ["api", "worker", "bridge"].includes(name);
    expect(service.environment?.["PSP_URL"], name).toBe(pays ? "${PSP_URL:-http://psp:8090}" : undefined);
    expect(service.environment?.["PSP_API_KEY"], name).toBe(pays || name === "psp" ? environment["PSP_API_KEY"] : undefined);
  }
});

test("every setting of the provider reaches the roles that read it and no other, in the production's file too", () => {
  const readers = (name: string) => {
    if (name === "PSP_KIND") return ["api", "worker", "bridge", "psp"];
    return name.startsWith("STRIPE_WEBHOOK_") || name === "BALANCE_CACHE" ? ["api"] : ["api", "worker", "bridge"];
  };
  for (const name of [...Object.keys(PSP_SETTINGS), "BALANCE_CACHE"]) {
    const passed = services.filter(([, { environment = {} }]) => name in environment);
    expect(passed.map(([role]) => role).toSorted(), name).toEqual(readers(name).toSorted());
    for (const [role, { environment = {} }] of passed)
      if (role !== "psp") expect(environment[name], `${role}: ${name}`).toMatch(new RegExp(`^\\$\\{${name}:-[^}]*\\}$`));
    // What is not said there again is that of the first file.
    for (const [role, { environment = {} }] of Object.entries(production.services))
      if (name in environment) expect(environment[name], `${role}: ${name}`).toBe(`\${${name}:-}`);
  }
});

/** A file of the same kind that is there, for one that .env.example names. */
function existing(name: string, value: string, { cert, key }: PemPair): string {
  if (!value.startsWith("/etc/saldo/")) return value;
  if (/_TLS_(?:CA|CERT)$/.test(name)) return cert;
  if (name.endsWith("_TLS_KEY")) return key;
  return fileOf(value.endsWith(".toml") ? "temporal-config/temporal.toml" : "package.json");
}

test("every variable that .env.example offers is one that is read, and the file alone is a valid configuration", async () => {
  const folder = mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-env-`));
  const pair = await (await makeThrowawayCa(folder)).issue("client", { commonName: "saldo" });
  const found = [...readFileSync(fileOf(".env.example"), "utf8").matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$/gm)].map(
    // Files that are named must be there; that is not what is asked here.
    ([, name = "", value = ""]) => [name, value === "" ? SOME_SECRET : existing(name, value, pair)] as const,
  );
  // The keys stand in a file or in a variable; both are offered, and only one of them may be set.
  const offered = found.filter(([name]) => name !== "TEMPORAL_PAYLOAD_KEYS");
  expect(offered).toHaveLength(found.length - 1);
  const read = loadConfig(Object.fromEntries(offered), "/nonexistent") as Record<string, unknown>;
  rmSync(folder, { recursive: true });
  // A profile is read, and gives values to other variables.
  const profile = new Set(["TEMPORAL_CONFIG_FILE", "TEMPORAL_PROFILE"]);
  for (const [name] of offered.filter(([each]) => !profile.has(each)))
    if (!name.endsWith("_PASSWORD")) expect(read, name).toHaveProperty(name);
});

/** Set by images and by whoever starts a role alone; nobody writes them into .env. */
const NOT_OFFERED = new Set(["NODE_ENV", "LOG_PRETTY"]);

test("every setting that has a default stands in .env.example", () => {
  const example = readFileSync(fileOf(".env.example"), "utf8");
  const names = Object.keys(config).filter((name) => !NOT_OFFERED.has(name));
  expect(names.filter((name) => !new RegExp(`^(?:# )?${name}=`, "m").test(example))).toEqual([]);
});

test("the namespace script finds every search attribute in the file", () => {
  const script = readFileSync(fileOf("deploy/compose/setup-temporal-namespace.sh"), "utf8");
  expect(script).toContain("/scripts/search-attributes.json");
  const lines = readFileSync(fileOf("temporal-config/search-attributes.json"), "utf8").split("\n");
  const found = lines.map((line) => /^ *"([A-Za-z]*)": *"([A-Za-z]*)",?$/.exec(line)?.slice(1, 3)).filter((pair) => pair !== undefined);
  expect(found).toEqual(Object.entries(readSearchAttributes()));
});

test("the image runs as nobody special, stops on SIGTERM, and is of a Debian that Temporal's core runs on", () => {
  const image = readFileSync(fileOf("Dockerfile"), "utf8");
  expect(image).toMatch(/^USER node$/m);
  expect(image).toMatch(/^STOPSIGNAL SIGTERM$/m);
  expect([...image.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base)).toEqual(["node:24-bookworm-slim", "node:24-bookworm-slim"]);
  for (const [, folder = ""] of image.matchAll(/^COPY (?!--from)(\w[\w-]*) \.\//gm)) expect(existsSync(fileOf(folder)), folder).toBe(true);
});
