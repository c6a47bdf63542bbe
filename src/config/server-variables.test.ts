import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, describeConfig, loadConfig } from "../config.ts";
import { kafkaSecurity, temporalSecurity, tlsOfServers } from "./server-variables.ts";

const pem = (label: string) => `-----BEGIN ${label}-----\nabc\n-----END ${label}-----\n`;

let folder: string;
let [ca, cert, key] = ["", "", ""];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "saldo-servers-"));
  [ca, cert, key] = ["ca.pem", "a b&c.pem", "client.key"].map((name) => join(folder, name)) as [string, string, string];
  for (const file of [ca, cert]) writeFileSync(file, pem("CERTIFICATE"));
  writeFileSync(key, pem("PRIVATE KEY"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const load = (environment: Record<string, string>) => loadConfig(environment, folder);

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    load(environment);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

const DATABASE_URL = "postgres://app:s3cret@db.example/saldo";
const files = (server: string) => ({ [`${server}_TLS_CA`]: ca, [`${server}_TLS_CERT`]: cert, [`${server}_TLS_KEY`]: key });

describe("TLS of the four servers", () => {
  it("is said in one way, and the addresses of Postgres and Redis carry it", () => {
    const config = load({
      DATABASE_URL,
      DATABASE_ADMIN_URL: "postgres://owner:p@db.example/saldo?options=-c%20lock_timeout%3D5s",
      TEMPORAL_ADDRESS: "temporal.example:7233",
      KAFKA_BROKERS: "kafka.example:9093",
      REDIS_URL: "redis://redis.example:6380",
      ...Object.fromEntries(["DATABASE", "TEMPORAL", "KAFKA", "REDIS"].map((server) => [`${server}_TLS`, "on"])),
      ...files("DATABASE"),
      ...files("TEMPORAL"),
      ...files("KAFKA"),
      ...files("REDIS"),
      KAFKA_TLS_SERVER_NAME: "broker",
    });
    const expected = { ca, cert, key };
    expect(tlsOfServers(config)).toEqual({
      DATABASE: expected,
      TEMPORAL: { ...expected, serverName: undefined },
      KAFKA: { ...expected, serverName: "broker" },
      REDIS: expected,
    });
    expect(config.DATABASE_ADMIN_URL).toMatch(/options=-c%20lock_timeout%3D5s&sslmode=verify-full&sslrootcert=.*&sslkey=/);
    expect(config.REDIS_URL).toMatch(/^rediss:\/\/redis\.example:6380\?sslrootcert=/);
  });

  it("gives the same addresses when the process that was given them reads them again", () => {
    const settings = { DATABASE_URL, DATABASE_TLS: "on", ...files("DATABASE") };
    const first = load(settings).DATABASE_URL ?? "";
    expect(load({ ...settings, DATABASE_URL: first }).DATABASE_URL).toBe(first);
    expect(load({ DATABASE_URL: first }).DATABASE_URL).toBe(first);
  });

  it("leaves to an address the certificate that it names itself", () => {
    const own = `${DATABASE_URL}?sslmode=verify-full&sslcert=${encodeURIComponent(key)}&sslkey=${encodeURIComponent(key)}`;
    expect(tlsOfServers(load({ DATABASE_URL: own, DATABASE_TLS: "on", ...files("DATABASE") })).DATABASE).toEqual({ ca, cert: key, key });
  });

  it.each([
    [{ DATABASE_URL, DATABASE_TLS: "on", DATABASE_TLS_CERT: "CERT" }, "DATABASE_TLS_KEY: is needed with DATABASE_TLS_CERT"],
    [{ KAFKA_BROKERS: "a:1", KAFKA_TLS: "on", KAFKA_TLS_KEY: "KEY" }, "KAFKA_TLS_CERT: is needed with KAFKA_TLS_KEY"],
    [{ KAFKA_TLS: "on" }, "KAFKA_BROKERS: is needed with KAFKA_TLS"],
    [{ KAFKA_BROKERS: "a:1", KAFKA_TLS_CA: "CA" }, "KAFKA_TLS: must be on for its files and its server name to count"],
    [{ KAFKA_BROKERS: "a:1", KAFKA_TLS: "on", KAFKA_TLS_CA: "/nowhere" }, "KAFKA_TLS_CA: is a file that cannot be read"],
    [{ REDIS_URL: "rediss://r", REDIS_TLS: "off" }, "REDIS_TLS: is off, and REDIS_URL asks for it"],
    [{ REDIS_URL: "rediss://r", REDIS_TLS_CA: "-----BEGIN CERTIFICATE-----" }, "REDIS_TLS_CA: must be the name of a file"],
    [
      { DATABASE_URL: `${DATABASE_URL}?sslmode=disable`, DATABASE_TLS: "on" },
      "DATABASE_TLS: is on, and DATABASE_URL says that there is none",
    ],
    [{ TEMPORAL_ADDRESS: "t:1", TEMPORAL_API_KEY: "k", TEMPORAL_TLS: "off" }, "TEMPORAL_TLS: is off, and TEMPORAL_API_KEY asks for it"],
    [
      { DATABASE_URL: `${DATABASE_URL}?sslmode=prefer` },
      "DATABASE_URL: must have sslmode=verify-full or sslmode=disable: another mode checks nothing",
    ],
    [{ KAFKA_BROKERS: "a:1", KAFKA_SASL_USERNAME: "u", KAFKA_SASL_PASSWORD: "p" }, /^KAFKA_SASL_MECHANISM: is needed/],
    [{ KAFKA_BROKERS: "a:1", KAFKA_SASL_MECHANISM: "PLAIN", KAFKA_SASL_USERNAME: "u" }, /^KAFKA_SASL_PASSWORD: is needed/],
    [
      {
        KAFKA_BROKERS: "a:1",
        KAFKA_SASL_MECHANISM: "OAUTHBEARER",
        KAFKA_SASL_TOKEN_URL: "http://login.example/token",
        KAFKA_SASL_CLIENT_ID: "c",
        KAFKA_SASL_CLIENT_SECRET: "s",
      },
      "KAFKA_SASL_TOKEN_URL: must be https, unless it is a loopback address",
    ],
    [
      { NODE_ENV: "production", KAFKA_BROKERS: "a:1", KAFKA_SASL_MECHANISM: "PLAIN", KAFKA_SASL_USERNAME: "u", KAFKA_SASL_PASSWORD: "p" },
      "KAFKA_TLS: must be on in production with KAFKA_SASL_MECHANISM=PLAIN",
    ],
  ])("is refused in words where a part of it is missing or contradicts another: %j", (environment, expected) => {
    const real: Record<string, string> = { CA: ca, CERT: cert, KEY: key };
    const given = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, real[value] ?? value]));
    expect(problemsOf(given)).toEqual([typeof expected === "string" ? expected : expect.stringMatching(expected)]);
  });

  it.each([
    ["", "CA", "holds no certificate in PEM"],
    [pem("PRIVATE KEY"), "CA", "holds no certificate in PEM"],
    [pem("PRIVATE KEY"), "CERT", "holds no certificate in PEM"],
    [pem("CERTIFICATE"), "KEY", "holds no key in PEM"],
    [`${pem("CERTIFICATE")}-----BEGIN CERTIFICATE-----\nab`, "CA", "is not complete"],
    [pem("ENCRYPTED PRIVATE KEY"), "KEY", "holds a key with a passphrase, which cannot be given"],
    ["-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nabc\n-----END RSA PRIVATE KEY-----\n", "KEY", /passphrase/],
  ])("is refused with a file that holds %j as its %s", (content, part, expected) => {
    const file = join(folder, "other.pem");
    writeFileSync(file, content);
    for (const [server, address] of [
      ["DATABASE", { DATABASE_URL }],
      ["KAFKA", { KAFKA_BROKERS: "a:1" }],
    ] as const) {
      const found = problemsOf({ ...address, ...files(server), [`${server}_TLS`]: "on", [`${server}_TLS_${part}`]: file });
      expect(found).toEqual([expect.stringContaining(`${server}_TLS_${part}: is a file that `)]);
      expect(found[0]).toMatch(expected);
    }
  });

  it("holds for the owner's address too: one that says nothing follows, one that contradicts is refused", () => {
    const owner = "postgres://owner:p@db.example/saldo";
    const followed = load({ DATABASE_URL: `${DATABASE_URL}?sslmode=verify-full`, DATABASE_ADMIN_URL: owner, DATABASE_TLS_CA: ca });
    expect(followed.DATABASE_ADMIN_URL).toMatch(/sslmode=verify-full&sslrootcert=/);
    expect(problemsOf({ DATABASE_URL, DATABASE_ADMIN_URL: `${owner}?sslmode=disable`, DATABASE_TLS: "on" })).toEqual([
      "DATABASE_TLS: is on, and DATABASE_ADMIN_URL says that there is none",
    ]);
    expect(problemsOf({ DATABASE_URL, DATABASE_ADMIN_URL: `${owner}?sslmode=require`, DATABASE_TLS: "off" })).toEqual([
      "DATABASE_TLS: is off, and DATABASE_ADMIN_URL asks for it",
    ]);
    const apart = load({ DATABASE_URL: `${DATABASE_URL}?sslmode=require`, DATABASE_ADMIN_URL: `${owner}?sslmode=disable` });
    expect(apart.DATABASE_ADMIN_URL).toBe(`${owner}?sslmode=disable`);
  });

  it("is not made nothing of in production by NODE_TLS_REJECT_UNAUTHORIZED=0", () => {
    const off = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    expect(problemsOf({ NODE_ENV: "production", ...off })).toEqual([expect.stringMatching(/^NODE_TLS_REJECT_UNAUTHORIZED: must not be 0/)]);
    expect(problemsOf(off)).toEqual([]);
  });

  it("takes secrets without the line's end that a file adds, and refuses in words what would be left out or repeated by a client", () => {
    const config = load({
      TEMPORAL_ADDRESS: "t:1",
      TEMPORAL_API_KEY: "k3y\n",
      KAFKA_BROKERS: "a:1",
      KAFKA_SASL_MECHANISM: "SCRAM-SHA-256",
      KAFKA_SASL_USERNAME: "u",
      KAFKA_SASL_PASSWORD: " p \r\n",
    });
    expect([temporalSecurity(config).apiKey, config.KAFKA_SASL_PASSWORD]).toEqual(["k3y", " p "]);
    for (const more of [
      { TEMPORAL_API_KEY: "hu\nsh" },
      { TEMPORAL_METADATA: '{"x-key":"hu\\nsh"}' },
      { TEMPORAL_METADATA: '{"x key":"hush"}' },
    ]) {
      const found = problemsOf({ TEMPORAL_ADDRESS: "t:1", ...more });
      expect(found).toEqual([expect.stringMatching(/^TEMPORAL_(?:API_KEY|METADATA): must be /)]);
      expect(found.join()).not.toMatch(/hu\s?sh/);
    }
    const inAddress = {
      KAFKA_BROKERS: "a:1",
      KAFKA_SASL_MECHANISM: "OAUTHBEARER",
      KAFKA_SASL_TOKEN_URL: "https://me:hush@login.example/token",
      KAFKA_SASL_CLIENT_ID: "c",
      KAFKA_SASL_CLIENT_SECRET: "s",
    };
    expect(problemsOf(inAddress)).toEqual([expect.stringMatching(/^KAFKA_SASL_TOKEN_URL: must not hold a login/)]);
  });

  it("shows no password and no key", () => {
    const shown = JSON.stringify(
      describeConfig(
        load({
          KAFKA_BROKERS: "a:1",
          KAFKA_SASL_MECHANISM: "SCRAM-SHA-256",
          KAFKA_SASL_USERNAME: "u",
          KAFKA_SASL_PASSWORD: "hush-1",
          TEMPORAL_ADDRESS: "t:1",
          TEMPORAL_API_KEY: "hush-2",
          TEMPORAL_METADATA: '{"x-secret":"hush-3"}',
          TEMPORAL_TLS_CERT: pem("CERTIFICATE"),
          TEMPORAL_TLS_KEY: pem("PRIVATE KEY").replace("abc", "hush-5"),
          REDIS_URL: "redis://r",
          REDIS_USERNAME: "saldo",
          REDIS_PASSWORD: "hush-4:@/",
        }),
      ),
    );
    expect(shown).not.toContain("hush");
  });

  it.each(["tls=x", "rejectUnauthorized=false", "sentinels=a", "sslrootcert=ca.pem&tls=x"])(
    "takes no option of the client out of the address of Redis, where it would win over ours: %s",
    (query) => {
      expect(problemsOf({ REDIS_URL: `rediss://r?${query}` })).toEqual([
        expect.stringMatching(/^REDIS_URL: must not have parameters beside/),
      ]);
    },
  );

  it("puts the login of Redis into its address, whatever letters it has", () => {
    const url = new URL(load({ REDIS_URL: "redis://r:6380/2", REDIS_USERNAME: "a@b", REDIS_PASSWORD: "p:/?#@%" }).REDIS_URL ?? "");
    expect([url.host, url.pathname, decodeURIComponent(url.username), decodeURIComponent(url.password)]).toEqual([
      "r:6380",
      "/2",
      "a@b",
      "p:/?#@%",
    ]);
  });
});

describe("a profile of Temporal's own tools", () => {
  const profile = (text: string) => {
    const path = join(folder, "temporal.toml");
    writeFileSync(path, text);
    return { TEMPORAL_CONFIG_FILE: path, TEMPORAL_PROFILE: "cloud" };
  };
  const CLOUD = '[profile.cloud]\naddress = "ns.acct.tmprl.cloud:7233"\nnamespace = "ns.acct"\napi_key = "k3y"\n';

  it("says address, namespace, key and TLS", () => {
    const inTheProfile = "-----BEGIN CERTIFICATE-----\\nabc\\n-----END CERTIFICATE-----";
    const config = load(
      profile(
        `${CLOUD}[profile.cloud.tls]\nserver_name = "other"\nserver_ca_cert_data = "${inTheProfile}"\nclient_cert_path = "${cert}"\nclient_key_path = "${key}"\n`,
      ),
    );
    expect([config.TEMPORAL_ADDRESS, config.TEMPORAL_NAMESPACE]).toEqual(["ns.acct.tmprl.cloud:7233", "ns.acct"]);
    expect(temporalSecurity(config)).toEqual({
      apiKey: "k3y",
      tls: { ca: expect.stringMatching(/^-----BEGIN CERTIFICATE-----\nabc/), cert, key, serverName: "other" },
    });
  });

  it("keeps its key and its TLS when only the address is named", () => {
    const config = load({ ...profile(CLOUD), TEMPORAL_ADDRESS: "private.example:7233" });
    expect(config.TEMPORAL_ADDRESS).toBe("private.example:7233");
    expect(temporalSecurity(config)).toMatchObject({ apiKey: "k3y", tls: {} });
  });

  it("does not switch the check of the server's name off, and does not drop a half of a pair", () => {
    expect(problemsOf(profile(`${CLOUD}[profile.cloud.tls]\ndisable_host_verification = true\n`))).toEqual([
      expect.stringMatching(/^TEMPORAL_CONFIG_FILE: .*always checked/),
    ]);
    expect(problemsOf(profile(`${CLOUD}[profile.cloud.tls]\nclient_cert_path = "${cert}"\n`))).toEqual([
      "TEMPORAL_TLS_KEY: is needed with TEMPORAL_TLS_CERT",
    ]);
  });
});

it("the login of Kafka is what is configured", () => {
  const config = load({
    KAFKA_BROKERS: "127.0.0.1:1",
    KAFKA_SASL_MECHANISM: "OAUTHBEARER",
    KAFKA_SASL_TOKEN_URL: "http://127.0.0.1:2/token",
    KAFKA_SASL_CLIENT_ID: "c",
    KAFKA_SASL_CLIENT_SECRET: "s",
    KAFKA_SASL_SCOPE: "kafka",
  });
  expect(kafkaSecurity(config)).toEqual({
    sasl: { mechanism: "OAUTHBEARER", tokenUrl: "http://127.0.0.1:2/token", clientId: "c", clientSecret: "s", scope: "kafka" },
  });
});
