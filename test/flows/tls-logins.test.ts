import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { dumpKafka } from "../../src/adapters/kafka/kafka-dump.ts";
import { createKafka, ensureTopics, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG, type Log } from "../../src/adapters/log.ts";
import { redisTarget } from "../../src/adapters/redis/redis-target.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { connectDirectly } from "../../src/adapters/temporal/temporal-direct.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import { loadConfig, type Config } from "../../src/config.ts";
import { kafkaSecurity, temporalSecurity } from "../../src/config/server-variables.ts";
import type { Stack } from "../../src/stack/stack.ts";
import { KAFKA_LOGIN, KAFKA_LOGIN_SETTINGS, KAFKA_SCRAM_USERS, unsignedToken } from "../support/secured-kafka-logins.ts";
import { makeCertificates, startSecuredStack, variablesOf, type Certificates } from "../support/secured-stack.ts";
import { until } from "../support/until.ts";

let folder: string;
let certificates: Certificates;
let stack: Stack;
let issuer: Server;
let issued = 0;
/** The client logs in anew 10 s before the end. */
const TOKEN_LIFE_SECONDS = 12;
/** What the issuer answers; undefined for a good token. */
let otherAnswer: object | undefined;
let isIssuerAway = false;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "saldo-logins-"));
  certificates = await makeCertificates(join(folder, "certificates"));
  const files = { ca: certificates.ca.ca, ...certificates.server };
  const client = certificates.filesOf();
  stack = await startSecuredStack({
    certificates,
    servers: ["kafka", "redis"],
    dataDir: folder,
    cacheDir: inject("cacheDir"),
    secured: { kafka: { files, client, settings: KAFKA_LOGIN_SETTINGS, scramUsers: KAFKA_SCRAM_USERS } },
  });
  issuer = createServer((request, response) => {
    issued += 1;
    request.resume();
    if (isIssuerAway) return void response.writeHead(503).end();
    response.setHeader("content-type", "application/json");
    const good = { access_token: unsignedToken("saldo", TOKEN_LIFE_SECONDS), expires_in: TOKEN_LIFE_SECONDS };
    response.end(JSON.stringify(otherAnswer ?? good));
  });
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
});

afterAll(async () => {
  issuer?.close();
  await stack?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const configOf = (more: Record<string, string>): Config => {
  // Only the authority: the broker asks for a login and for no certificate.
  const { KAFKA_BROKERS = "" } = variablesOf(stack, certificates);
  return loadConfig({ KAFKA_BROKERS, KAFKA_TLS: "on", KAFKA_TLS_CA: certificates.ca.ca, ...more }, folder);
};
const login = { KAFKA_SASL_USERNAME: KAFKA_LOGIN.username, KAFKA_SASL_PASSWORD: KAFKA_LOGIN.password };
const oauth = () => ({
  KAFKA_SASL_MECHANISM: "OAUTHBEARER",
  KAFKA_SASL_TOKEN_URL: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token`,
  KAFKA_SASL_CLIENT_ID: "saldo",
  KAFKA_SASL_CLIENT_SECRET: "hush",
});

function open(config: Config, logger: Log = SILENT_LOG): Kafka {
  return createKafka({
    brokers: config.KAFKA_BROKERS?.split(",") ?? [],
    security: kafkaSecurity(config),
    clientId: "logins",
    logger,
  });
}

describe("the login of Kafka", () => {
  it.each<Record<string, string>>([
    { KAFKA_SASL_MECHANISM: "PLAIN", ...login },
    { KAFKA_SASL_MECHANISM: "SCRAM-SHA-256", ...login },
    { KAFKA_SASL_MECHANISM: "SCRAM-SHA-512", ...login },
  ])("lets in with $KAFKA_SASL_MECHANISM: a topic is made, written and read", async (more) => {
    const config = configOf(more);
    const topic = `login-${randomUUID()}`;
    await ensureTopics(config.KAFKA_BROKERS?.split(",") ?? [], [{ topic, partitions: 1, settings: {} }], SILENT_LOG, kafkaSecurity(config));
    const kafka = open(config);
    const producer = kafka.createProducer();
    await producer.send(topic, [{ key: "a", value: "b" }]);
    expect(await kafka.topicOffsets(topic)).toMatchObject([{ high: 1n }]);
    await kafka.ping();
    // By a consumer in a group of its own.
    const read: string[] = [];
    const servers = { brokers: config.KAFKA_BROKERS?.split(",") ?? [], security: kafkaSecurity(config) };
    await dumpKafka({ ...servers, maxMessages: 10 }, (message) => {
      if (message.topic === topic) read.push(String(message.parts["value"]));
    });
    expect(read).toEqual(["b"]);
    await Promise.all([producer.close(), kafka.close()]);
  });

  it("lets in with OAUTHBEARER, and a token that ends is renewed while the client is connected", async () => {
    const config = configOf(oauth());
    const topic = `login-${randomUUID()}`;
    await ensureTopics(config.KAFKA_BROKERS?.split(",") ?? [], [{ topic, partitions: 1, settings: {} }], SILENT_LOG, kafkaSecurity(config));
    const kafka = open(config);
    const producer = kafka.createProducer();
    const before = issued;
    let sent = 0;
    await until("two more tokens were asked for, under steady sending", async () => {
      await producer.send(topic, [{ key: "a", value: String(sent) }]);
      sent += 1;
      return issued >= before + 3;
    });
    expect((await kafka.topicOffsets(topic))[0]).toMatchObject({ high: BigInt(sent) });
    await Promise.all([producer.close(), kafka.close()]);
  });

  it("is refused with a token that has ended: the reason is said, the token is not, and another one is asked for before the next login", async () => {
    const ended = unsignedToken("saldo", -100);
    otherAnswer = { access_token: ended, expires_in: 3_600 };
    const lines: string[] = [];
    const note = (...words: unknown[]) => void lines.push(inspect(words, { depth: 10 }));
    const kafka = open(configOf(oauth()), { debug: note, info: note, warn: note, error: note });
    const before = issued;
    await expect(kafka.ping()).rejects.toThrow("it refuses the login of KAFKA_SASL_MECHANISM");
    expect(issued).toBe(before + 1);
    expect(lines.join("\n")).toMatch(/the broker refuses the token: invalid_token/);
    expect(lines.join("\n")).not.toContain(ended.split(".")[1]);
    // Each login tells it, also those on what the one before left open.
    await expect(kafka.ping()).rejects.toThrow("it refuses the login of KAFKA_SASL_MECHANISM");
    await expect(kafka.topicOffsets("any")).rejects.toThrow("the broker refuses the token: invalid_token");
    isIssuerAway = true;
    for (const _ of [1, 2]) await expect(kafka.ping()).rejects.toThrow("the issuer of Kafka's tokens answers with 503");
    isIssuerAway = false;
    otherAnswer = undefined;
    await kafka.ping();
    await kafka.close();
  });

  it("outlasts an issuer of tokens that is away: the consumer is not ended, and reads on", async () => {
    const config = configOf(oauth());
    const topic = `login-${randomUUID()}`;
    const brokers = config.KAFKA_BROKERS?.split(",") ?? [];
    await ensureTopics(brokers, [{ topic, partitions: 1, settings: {} }], SILENT_LOG, kafkaSecurity(config));
    const kafka = open(config);
    const consumer = kafka.createConsumer({ group: topic, topic, sessionTimeoutMs: 6_000, partitionsAtOnce: 1, graceMs: 1_000 });
    const read: string[] = [];
    const ends: string[] = [];
    await consumer.run(
      async ({ messages, nextOffset }, { commit }) => {
        read.push(...messages.map(({ value }) => String(value)));
        await commit(nextOffset);
      },
      ({ message }) => ends.push(message),
    );
    await until("the group is joined", () => consumer.assigned() !== undefined);
    isIssuerAway = true;
    // Twice the token's life: the consumer has to log in anew, and loses its place in the group.
    const untilMs = performance.now() + 2_000 * TOKEN_LIFE_SECONDS;
    await until("the issuer was away for a while", () => performance.now() > untilMs || ends.length > 0, 60_000);
    isIssuerAway = false;
    const producer = open(configOf({ KAFKA_SASL_MECHANISM: "PLAIN", ...login }));
    const writing = producer.createProducer();
    await writing.send(topic, [{ key: "a", value: "later" }]);
    await until("it is read", () => read.includes("later") || ends.length > 0);
    expect([read, ends]).toEqual([["later"], []]);
    await consumer.stop();
    await Promise.all([writing.close(), producer.close(), kafka.close()]);
  });

  it.each<Record<string, string>>([
    { KAFKA_SASL_MECHANISM: "PLAIN", ...login, KAFKA_SASL_PASSWORD: "hush-hush" },
    { KAFKA_SASL_MECHANISM: "SCRAM-SHA-512", ...login, KAFKA_SASL_USERNAME: "nobody" },
  ])("is refused with a wrong one, and the reason is said in words without it: $KAFKA_SASL_MECHANISM", async (more) => {
    const lines: string[] = [];
    const note = (...words: unknown[]) => void lines.push(inspect(words, { depth: 10 }));
    const kafka = open(configOf(more), { debug: note, info: note, warn: note, error: note });
    await expect(kafka.ping()).rejects.toThrow("it refuses the login of KAFKA_SASL_MECHANISM");
    await kafka.close();
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.join("\n")).not.toMatch(/hush-hush|a-pass-word/);
  });
});

it("Redis lets its user in by name and password", async () => {
  const own = variablesOf(stack, certificates);
  const admin = new Redis(redisTarget(loadConfig(own, folder).REDIS_URL ?? "").url, {
    ...redisTarget(loadConfig(own, folder).REDIS_URL ?? "").options,
  });
  await admin.call("ACL", "SETUSER", "saldo", "on", ">pa:ss/wd", "~*", "&*", "+@all");
  const pings = async (password: string) => {
    const { REDIS_URL: url } = loadConfig({ ...own, REDIS_USERNAME: "saldo", REDIS_PASSWORD: password }, folder);
    const link = openRedis({ url, logger: SILENT_LOG });
    try {
      let reason = "";
      await until("it answers or refuses", async () => {
        reason = await link.ping().then(
          () => "in",
          (error: Error) => error.message,
        );
        return reason !== "not connected";
      });
      return { reason, who: await link.attempt((redis) => redis.call("ACL", "WHOAMI")) };
    } finally {
      link.close();
    }
  };
  expect(await pings("pa:ss/wd")).toEqual({ reason: "in", who: "saldo" });
  expect((await pings("wrong")).reason).toBe("it refuses the login of REDIS_URL");
  admin.disconnect();
});

describe("the key of Temporal's API", () => {
  let server: Http2SecureServer;
  const seen: (string | undefined)[] = [];

  beforeAll(async () => {
    // Stands for Temporal Cloud, which looks at the header; a server of one's own without an authorizer looks at nothing.
    server = createSecureServer({
      cert: readFileSync(certificates.server.cert),
      key: readFileSync(certificates.server.key),
    });
    server.on("stream", (stream, headers) => {
      seen.push(headers.authorization);
      stream.resume();
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(5));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });

  afterAll(() => server?.close());

  it("goes with the calls of both clients, over TLS, and so do the headers", async () => {
    const config = loadConfig(
      {
        TEMPORAL_ADDRESS: `127.0.0.1:${(server.address() as AddressInfo).port}`,
        TEMPORAL_API_KEY: "a-k3y",
        TEMPORAL_TLS_CA: certificates.ca.ca,
      },
      folder,
    );
    const target = { address: config.TEMPORAL_ADDRESS ?? "", ...temporalSecurity(config) };
    const direct = await connectDirectly(target);
    await direct.close();
    const link = await createTemporal({ ...target, namespace: "default", deadlineMs: 10_000, logger: SILENT_LOG });
    await link.close();
    expect(seen.length).toBeGreaterThanOrEqual(2);
    expect(new Set(seen)).toEqual(new Set(["Bearer a-k3y"]));
  });
});
