import { spawn } from "node:child_process";
import { randomInt, randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { Redis } from "ioredis";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { createKafka, ensureTopics } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG, type Log } from "../../src/adapters/log.ts";
import { createPsp } from "../../src/adapters/psp/psp-http.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { createNumberFinder } from "../../src/cli/leak/finder.ts";
import { PLACES, scanForLeaks, type LeakAddresses, type LeakReport, type Place } from "../../src/cli/leak/scan.ts";
import { PROJECT_DIR } from "../../src/cli/start/role-entries.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { isLuhnValid } from "../../src/domain/cards/card.ts";
import { createTestApi } from "../support/http-api.ts";
import { startTestWorkflows } from "../support/http-system.ts";
import { startOwnKafka, type OwnKafka } from "../support/own-kafka.ts";
import { startPspSimulator, type TestPsp } from "../support/psp.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { makeTestNamespace } from "../support/test-namespace.ts";

/** A card number that nothing else has. */
function markedNumber(): string {
  const head = `4${Array.from({ length: 14 }, () => randomInt(10)).join("")}`;
  return head + Array.from("0123456789").find((last) => isLuhnValid(head + last));
}

const dashed = (number: string) => number.match(/.{4}/g)?.join("-") ?? "";
const spaced = (number: string) => number.match(/.{4}/g)?.join(" ") ?? "";

let database: TestDatabase;
let provider: TestPsp;
let folder: string;
let temporal: Connection;
let ownKafka: OwnKafka;

beforeAll(async () => {
  database = await createTestDatabase();
  provider = await startPspSimulator();
  ownKafka = await startOwnKafka(inject("cacheDir"));
  folder = await mkdtemp(join(tmpdir(), "saldo-leak-"));
  temporal = await Connection.connect({ address: inject("temporalAddress") });
});

afterAll(async () => {
  await temporal.close();
  await provider.stop();
  await ownKafka.close();
  await Promise.all([database.drop(), rm(folder, { recursive: true, force: true })]);
});

function addresses(namespace: string): LeakAddresses {
  return {
    databaseUrl: database.adminUrl,
    redisUrl: inject("redisUrl"),
    kafka: { brokers: ownKafka.brokers },
    temporal: { address: inject("temporalAddress"), namespace },
    psp: { url: provider.url, apiKey: provider.apiKey },
    folders: [folder, provider.dataDir],
  };
}

function scan(number: string, namespace: string, only?: readonly Place[]): Promise<LeakReport> {
  return scanForLeaks({ finder: createNumberFinder(number), addresses: addresses(namespace), only, maxMessages: 100_000 });
}

function findingsOf(report: LeakReport, place: Place): string[] {
  const result = report.places.find((each) => each.place === place);
  if (result === undefined || "failed" in result) throw new Error(`${place}: ${JSON.stringify(result)}`);
  return result.findings.map(({ where, spelling }) => `${spelling}: ${where}`);
}

describe("a number that was planted", () => {
  let namespace: string;

  beforeAll(async () => {
    namespace = await makeTestNamespace(inject("temporalAddress"));
  });

  /** Plants, scans that place alone, and gives the findings; the report must never hold the number. */
  async function plantAndFind(place: Place, plant: (number: string) => Promise<void>): Promise<string[]> {
    const number = markedNumber();
    expect(findingsOf(await scan(number, namespace, [place]), place)).toEqual([]);
    await plant(number);
    const report = await scan(number, namespace, [place]);
    expect(report, JSON.stringify(report)).toMatchObject({ found: true, complete: true });
    for (const spelling of [number, dashed(number), spaced(number)]) expect(JSON.stringify(report)).not.toContain(spelling);
    return findingsOf(report, place);
  }

  const inDatabase = async (work: (sql: postgres.Sql) => Promise<unknown>) => {
    const sql = postgres(database.adminUrl, { max: 1, onnotice: () => undefined });
    await work(sql);
    await sql.end();
  };

  it("in a text, a JSON or bytes of any table is found in Postgres, by table and column", async () => {
    const texts = await plantAndFind("postgres", (number) =>
      inDatabase((sql) => sql`insert into services (id, name) values ('s1', ${`paid by ${dashed(number)}`})`),
    );
    expect(texts).toEqual([expect.stringMatching(/^dashed: public\.services\.name, 1 rows, first at ctid \(/)]);
    const others = await plantAndFind("postgres", (number) =>
      inDatabase(async (sql) => {
        await sql`create schema elsewhere`;
        await sql`create table elsewhere."Odd ""Name""" ("a'b" jsonb, raw bytea, many text[])`;
        await sql`insert into elsewhere."Odd ""Name""" values (${sql.json({ deep: { card: number } })}, ${Buffer.from(`\u0000${number}`)}, ${[spaced(number)]})`;
        await sql`insert into elsewhere."Odd ""Name""" (raw) values (${Buffer.from(Buffer.from(number).toString("base64"))})`;
      }),
    );
    expect(others.toSorted()).toEqual([
      expect.stringMatching(/^plain: elsewhere\."Odd ""Name"""\.a'b, 1 rows/),
      expect.stringMatching(/^(plain|base64): elsewhere\."Odd ""Name"""\.raw, 2 rows/),
      expect.stringMatching(/^spaced: elsewhere\."Odd ""Name"""\.many, 1 rows/),
    ]);
  });

  it("in a key or a value of every type is found in Redis", async () => {
    const redis = new Redis(inject("redisUrl"));
    const prefix = `leak:${randomUUID()}`;
    const plants: Readonly<Record<string, (number: string) => Promise<unknown>>> = {
      string: (number) => redis.set(`${prefix}:string`, `x${number}`),
      hash: (number) => redis.hset(`${prefix}:hash`, { a: "b", [number]: "field" }),
      list: (number) => redis.rpush(`${prefix}:list`, "a", dashed(number)),
      set: (number) => redis.sadd(`${prefix}:set`, number),
      zset: (number) => redis.zadd(`${prefix}:zset`, 1, number),
      stream: (number) => redis.xadd(`${prefix}:stream`, "*", "card", number),
      name: (number) => redis.set(`${prefix}:${number}`, "x"),
    };
    for (const [type, plant] of Object.entries(plants)) {
      const found = await plantAndFind("redis", async (number) => void (await plant(number)));
      expect(found, type).toEqual([expect.stringContaining(type === "name" ? "the name of string leak:" : `${type} ${prefix}:${type}`)]);
    }
    const keys = await redis.keys(`${prefix}*`);
    await redis.del(...keys);
    redis.disconnect();
  });

  it("in a key, a value or a header of a message is found in Kafka", async () => {
    const topic = `leak-${randomUUID()}`;
    await ensureTopics(ownKafka.brokers, [{ topic, partitions: 2, settings: {} }]);
    const kafka = createKafka({ brokers: ownKafka.brokers, clientId: "leak-test", logger: SILENT_LOG });
    const producer = kafka.createProducer();
    const found = await plantAndFind("kafka", async (number) => {
      await producer.send(
        topic,
        Array.from({ length: 50 }, (_, place) => ({ key: `k${place}`, value: "nothing" })),
      );
      await producer.send(topic, [
        { key: number, value: "x" },
        { key: "k", value: JSON.stringify({ n: spaced(number) }), headers: { note: Buffer.from(number).toString("base64") } },
      ]);
    });
    await Promise.all([producer.close(), kafka.close()]);
    expect(found.map((text) => text.replace(/leak-\S+, /, "")).toSorted()).toEqual(["base64: header note", "plain: key", "spaced: value"]);
  });

  it("in an input, a memo, a signal or a summary is found in Temporal", async () => {
    const client = new Client({ connection: temporal, namespace });
    const start = (options: object) =>
      client.workflow.start("nobody-runs-this", { taskQueue: "nobody", workflowId: randomUUID(), ...options });
    expect(await plantAndFind("temporal", async (number) => void (await start({ args: [{ card: { number } }] })))).toEqual([
      expect.stringMatching(/^plain: workflow \S+, event 1 workflowExecutionStartedEventAttributes input payloads 0 data$/),
    ]);
    expect((await plantAndFind("temporal", async (number) => void (await start({ memo: { note: dashed(number) } })))).join()).toMatch(
      /memo/,
    );
    expect((await plantAndFind("temporal", async (number) => void (await start({ staticSummary: `paid by ${number}` })))).join()).toMatch(
      /plain/,
    );
    const signalled = await plantAndFind("temporal", async (number) => {
      const handle = await start({});
      await handle.signal("paid", Buffer.from(number).toString("hex"));
    });
    expect(signalled).toEqual([expect.stringMatching(/^hex: .*workflowExecutionSignaled/)]);
    expect(await plantAndFind("temporal", async (number) => void (await start({ workflowId: `order/${number}` })))).toContainEqual(
      expect.stringContaining("workflow order/****"),
    );
  });

  it("in the provider's book is found there", async () => {
    const psp = createPsp({ url: provider.url, apiKey: provider.apiKey, logger: SILENT_LOG });
    const found = await plantAndFind("psp", async (number) => {
      await psp.cancel({
        key: `k-${randomUUID()}`,
        orderId: number,
        amountMinor: 1n,
        currency: "RUB",
        authorisationKey: `a-${randomUUID()}`,
      });
    });
    expect(found[0]).toMatch(/^plain: entry \d+ of the book$/);
  });

  it("in a log, a report or the name of a file is found, also where two reads of a large file meet", async () => {
    await mkdir(join(folder, "logs"), { recursive: true });
    const found = await plantAndFind("files", async (number) => {
      await writeFile(join(folder, "logs", "api.log"), `${JSON.stringify({ msg: `card ${number}` })}\n`);
      await writeFile(
        join(folder, "logs", "large.bin"),
        Buffer.concat([Buffer.alloc(1_048_576 - 7, 1), Buffer.from(dashed(number)), Buffer.alloc(99)]),
      );
      await writeFile(join(folder, `${number}.csv`), "");
    });
    expect(found.toSorted()).toEqual([
      `dashed: ${join(folder, "logs", "large.bin")}`,
      `plain: ${join(folder, "logs", "api.log")}`,
      `plain: the name of ${join(folder, "****.csv")}`,
    ]);
  });

  it("is not called absent where nothing was searched", async () => {
    const empty = await mkdtemp(join(folder, "empty-"));
    const report = await scanForLeaks({
      finder: createNumberFinder(markedNumber()),
      addresses: { folders: [empty, join(empty, "not-there")] },
      maxMessages: 1,
    });
    expect(report).toMatchObject({ found: false, complete: false, empty: true });
  });

  it("is not called absent where a place could not be searched", async () => {
    const report = await scanForLeaks({
      finder: createNumberFinder(markedNumber()),
      addresses: { ...addresses(namespace), redisUrl: "redis://127.0.0.1:9" },
      only: ["redis", "psp"],
      maxMessages: 1,
    });
    expect([report.found, report.complete]).toEqual([false, false]);
    expect(report.places).toEqual([
      { place: "redis", failed: expect.any(String) },
      expect.objectContaining({ place: "psp", findings: [] }),
    ]);
  });
});

describe("a card that was paid with", () => {
  it("stands in no store, message, history, book or log, whatever became of the payments", async () => {
    const logFile = join(folder, "everything.log");
    const asText = (_name: string, value: unknown) =>
      value instanceof Error
        ? `${String(value.stack)} ${JSON.stringify(Object.entries(value))}`
        : typeof value === "bigint"
          ? String(value)
          : value;
    const write = (fields: object, message: string) => appendFileSync(logFile, `${message} ${JSON.stringify(fields, asText)}\n`);
    const log: Log = { debug: write, info: write, warn: write, error: write };
    const psp = createPsp({ url: provider.url, apiKey: provider.apiKey, timeoutMs: 300, logger: log });
    const redis = openRedis({ url: inject("redisUrl"), logger: log });
    const workflows = await startTestWorkflows(database.appUrl, Object.values(TASK_QUEUES), log, psp);
    const api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, psp, redis, log });
    const number = markedNumber();
    const card = { number: spaced(number), expiry: "12/39", cvc: "987", holderName: "ADA LOVELACE" };
    try {
      await api.call("POST", "/api/v1/services", { body: { id: "shop", name: "A shop" } });
      const order = { userId: "ada", items: [{ serviceId: "shop", amount: "100.50" }], payment: { method: "card", card } };
      const purchase = {
        user_id: "ada",
        username: "ada",
        amount: "10.00",
        currency: "RUB",
        payment_method: "credit_card",
        card_holder_name: card.holderName,
        card_number: number,
        card_expiry: card.expiry,
        card_cvc: card.cvc,
        transaction_date: new Date().toISOString(),
      };
      const call = (path: string, body: object, rawBody?: string) =>
        api.call("POST", path, { ...(rawBody === undefined ? { body } : { rawBody }), headers: { prefer: "wait=20" } });
      expect((await call("/api/v1/orders", order)).body).toMatchObject({ status: "CONFIRMED", sagaState: "COMPLETED" });
      expect((await call("/api/v1/purchases", purchase)).body).toMatchObject({ status: "completed", card: { last4: number.slice(-4) } });
      const wrong = [
        await call("/api/v1/orders", { ...order, payment: { method: "card", card: { ...card, expiry: "12/20" } } }),
        await call("/api/v1/orders", { ...order, payment: { method: "card", card: { ...card, cvc: number } } }),
        await call("/api/v1/orders", { ...order, items: [{ serviceId: "nowhere", amount: "1.00" }] }),
        await call("/api/v1/orders", { ...order, comment: `paid by ${dashed(number)}` }),
        await call("/api/v1/purchases", { ...purchase, username: number }),
        await call("/api/v1/purchases", { ...purchase, card_expiry: "01/20" }),
        await call("/api/v1/purchases", {}, `{"card_number":"${number}",`),
      ];
      for (const answer of wrong) expect(answer.status, answer.text).toBeGreaterThanOrEqual(400);
      provider.script({ kinds: ["decline"] });
      expect((await call("/api/v1/orders", order)).body).toMatchObject({ status: "CANCELLED" });
      await call("/api/v1/purchases", purchase);
      provider.script({ kinds: ["5xx"], steps: ["tokenise"] });
      expect((await call("/api/v1/purchases", { ...purchase, amount: "11.00" })).body["code"]).toBe("PSP_UNAVAILABLE");
      for (const answer of wrong) expect(answer.text).not.toMatch(new RegExp(number.split("").join("[ -]?")));
    } finally {
      await Promise.all([api.close(), workflows.close()]);
      redis.close();
    }
    const report = await scan(number, workflows.namespace);
    for (const place of PLACES) expect(findingsOf(report, place), place).toEqual([]);
    expect([report.found, report.complete]).toEqual([false, true]);
    // The places were not empty, so that finding nothing says something.
    for (const result of report.places) expect("looked" in result ? result.looked : "", result.place).toMatch(/^[1-9]/);
    expect(provider.payments().filter(({ kind }) => kind === "capture").length).toBeGreaterThanOrEqual(2);
  }, 120_000);
});

describe("npm run leak-scan", () => {
  const run = (args: readonly string[], input = ""): Promise<{ code: number | null; output: string }> =>
    new Promise((resolve) => {
      const { PSP_URL: _url, REDIS_URL: _redis, DATABASE_URL: _database, ...environment } = process.env;
      const child = spawn(process.execPath, ["--import", "tsx", "src/cli/leak-scan.ts", ...args], {
        cwd: PROJECT_DIR,
        env: { ...environment, DATA_DIR: folder },
      });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
      child.stdin.end(input);
      child.once("exit", (code) => resolve({ code, output }));
    });

  it("ends with 0 when the number stands nowhere, 1 when it was found and 2 when it was called wrongly, and never says it", async () => {
    const number = markedNumber();
    const only = ["--only", "files"];
    const none = await run(["--number", number, ...only]);
    await writeFile(join(folder, "planted.txt"), Buffer.from(number).toString("hex"));
    const found = await run(["--number", "-", "--json", ...only], `${spaced(number)}\n`);
    const wrong = await Promise.all([run([number]), run(["--number", `${number}12345`])]);
    expect([none.code, found.code, ...wrong.map(({ code }) => code)]).toEqual([0, 1, 2, 2]);
    expect(none.output).toContain("It stands nowhere.");
    expect(JSON.parse(found.output)).toMatchObject({
      found: true,
      places: [{ findings: [{ where: join(folder, "planted.txt"), spelling: "hex" }] }],
    });
    for (const { output } of [none, found, ...wrong])
      for (const spelling of [number, spaced(number)]) expect(output).not.toContain(spelling);
  }, 60_000);
});
