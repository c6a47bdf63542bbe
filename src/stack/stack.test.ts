import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, Connection } from "@temporalio/client";
import { temporal } from "@temporalio/proto";
import { Kafka, logLevel } from "kafkajs";
import postgres from "postgres";
import { afterAll, afterEach, beforeEach, expect, inject, test } from "vitest";
import { until } from "../../test/support/until.ts";
import { freePort, isPortFree } from "./free-port.ts";
import type { ServerEvent } from "./processes/keep-server.ts";
import type { ServerProgress } from "./progress.ts";
import { readDynamicConfigValues, readSearchAttributes } from "./servers/temporal-config.ts";
import { startStack, type FixedPorts, type Stack, type StackOptions } from "./stack.ts";

let directory: string;
const stacks: Stack[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "saldo-stack-"));
});

afterEach(async () => {
  await Promise.all(stacks.splice(0).map((stack) => stack.stop()));
  rmSync(directory, { recursive: true, force: true });
});

async function start(overrides: Partial<StackOptions>): Promise<Stack> {
  const stack = await startStack({
    servers: [],
    dataDir: join(directory, "data"),
    cacheDir: inject("cacheDir"),
    ephemeral: false,
    ports: "free",
    ...overrides,
  });
  stacks.push(stack);
  return stack;
}

async function withSql<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1 });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

async function withKafka<T>(brokers: readonly string[], work: (admin: ReturnType<Kafka["admin"]>) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
}

test("rows and topics are there again after a restart in the same folder, on other ports", async () => {
  const servers = ["postgres", "kafka"] as const;
  const first = await start({ servers, required: servers });
  await withSql(first.postgres?.adminUrl ?? "", (sql) => sql`create table kept as select 42 as answer`);
  await withKafka(first.kafka?.brokers ?? [], (admin) =>
    admin.createTopics({ topics: [{ topic: "kept", numPartitions: 3 }], waitForLeaders: true }),
  );
  await first.stop();

  const second = await start({ servers, required: servers });
  const rows = await withSql(second.postgres?.adminUrl ?? "", (sql) => sql`select answer from kept`);
  expect(rows).toMatchObject([{ answer: 42 }]);
  const topics = await withKafka(second.kafka?.brokers ?? [], (admin) => admin.fetchTopicMetadata({ topics: ["kept"] }));
  expect(topics.topics[0]?.partitions).toHaveLength(3);
});

test("an ephemeral stack leaves no file, and says of each server where it came from", async () => {
  const events: ServerProgress[] = [];
  const stack = await start({ servers: ["postgres", "redis"], ephemeral: true, onProgress: (event) => events.push(event) });
  expect(existsSync(stack.dataDir)).toBe(true);
  await stack.stop();
  expect(existsSync(stack.dataDir)).toBe(false);
  const sources = Object.fromEntries(events.filter((event) => event.state === "ready").map(({ server, source }) => [server, source]));
  expect(sources).toEqual({ postgres: "package", redis: expect.stringMatching(/path|cache|registry/) });
});

test("a second stack on the same data folder is refused while the first one runs", async () => {
  await start({ servers: ["redis"] });
  await expect(start({ servers: ["redis"] })).rejects.toMatchObject({ code: "ALREADY_RUNNING" });
});

test("a taken port is refused before anything is started, and the folder is free again", async () => {
  const taken = await start({ servers: ["redis"] });
  const port = Number(new URL(taken.redis?.url ?? "").port);
  const ports: FixedPorts = {
    postgres: await freePort(),
    temporal: await freePort(),
    temporalUi: await freePort(),
    kafka: await freePort(),
    redis: port,
  };
  const dataDir = join(directory, "other");
  await expect(start({ servers: ["postgres", "redis"], ports, dataDir })).rejects.toMatchObject({
    code: "PORT_TAKEN",
    message: `Port ${port} for Redis is taken by another process; stop it, or choose another port with REDIS_PORT.`,
  });
  expect(readdirSync(dataDir)).toEqual(["pids"].filter((name) => existsSync(join(dataDir, name))));
});

test("when a server that is needed cannot be had, those already started are stopped again", async () => {
  const port = await freePort();
  const ports: FixedPorts = { postgres: port, temporal: 0, temporalUi: 0, kafka: 0, redis: 0 };
  const failing = start({ servers: ["postgres", "temporal"], ports, external: { temporalAddress: "127.0.0.1:9" } });
  await expect(failing).rejects.toMatchObject({
    code: "ADDRESS_UNREACHABLE",
    message: "Temporal does not answer at 127.0.0.1:9 (TEMPORAL_ADDRESS).",
  });
  expect(await isPortFree(port)).toBe(true);
});

test("what listens at TEMPORAL_ADDRESS and is not Temporal is told apart from one that does not answer", async () => {
  const { host } = new URL(inject("redisUrl"));
  await expect(start({ servers: ["temporal"], external: { temporalAddress: host } })).rejects.toMatchObject({
    code: "ADDRESS_UNREACHABLE",
    message: `What answers at ${host} (TEMPORAL_ADDRESS) is not a Temporal server without TLS.`,
  });
});

test("a server of the environment is used and outlives the stack", async () => {
  const stack = await start({
    servers: ["postgres", "temporal", "kafka", "redis"],
    external: {
      databaseUrl: inject("databaseAppUrl"),
      databaseAdminUrl: inject("databaseAdminUrl"),
      temporalAddress: inject("temporalAddress"),
      kafkaBrokers: inject("kafkaBrokers"),
      redisUrl: inject("redisUrl"),
    },
  });
  expect(stack.postgres).toMatchObject({ appUrl: inject("databaseAppUrl"), adminUrl: inject("databaseAdminUrl") });
  await stack.stop();
  expect(await withSql(inject("databaseAdminUrl"), (sql) => sql`select 1 as one`)).toMatchObject([{ one: 1 }]);
});

test("a start that is stopped half way leaves nothing", async () => {
  const abort = new AbortController();
  const port = await freePort();
  const ports: FixedPorts = { postgres: port, temporal: 0, temporalUi: 0, kafka: 0, redis: 0 };
  const starting = start({
    servers: ["postgres"],
    ports,
    signal: abort.signal,
    onProgress: (event) => event.state === "starting" && abort.abort(),
  });
  await expect(starting).rejects.toMatchObject({ code: "STOPPED" });
  expect(await isPortFree(port)).toBe(true);
});

test("servers left running by a killed parent are found by the next start in the same folder", async () => {
  const dataDir = join(directory, "data");
  const script = `
    import { startStack } from ${JSON.stringify(new URL("./stack.ts", import.meta.url).href)};
    const stack = await startStack({ servers: ["postgres", "redis"], dataDir: ${JSON.stringify(dataDir)}, cacheDir: ${JSON.stringify(inject("cacheDir"))}, ephemeral: false, ports: "free" });
    console.log(JSON.stringify({ postgres: new URL(stack.postgres.appUrl).port, redis: new URL(stack.redis.url).port }));
    process.kill(process.pid, "SIGKILL");`;
  let output = "";
  try {
    output = execFileSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], { encoding: "utf8" });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
  const left = JSON.parse(output) as { postgres: string; redis: string };
  expect(await isPortFree(Number(left.redis))).toBe(false);
  await start({ servers: ["postgres", "redis"] });
  expect(await isPortFree(Number(left.redis))).toBe(true);
  expect(await isPortFree(Number(left.postgres))).toBe(true);
});

test("a server that is killed is started again on its port with its data", async () => {
  const events: ServerEvent[] = [];
  const stack = await start({ servers: ["postgres", "redis"], onServerEvent: (event) => events.push(event) });
  await withSql(stack.postgres?.adminUrl ?? "", (sql) => sql`create table kept as select 42 as answer`);
  for (const server of ["postgres", "redis"] as const) {
    const { pid } = JSON.parse(readFileSync(join(stack.dataDir, "pids", `${server}.json`), "utf8")) as { pid: number };
    process.kill(pid, "SIGKILL");
    await until(`${server} runs again`, () => events.some((event) => event.server === server && event.state === "back"));
  }
  const rows = await withSql(stack.postgres?.adminUrl ?? "", (sql) => sql`select answer from kept`);
  expect(rows).toMatchObject([{ answer: 42 }]);
  const ports = [stack.postgres?.appUrl, stack.redis?.url].map((url) => Number(new URL(url ?? "").port));
  expect(await Promise.all(ports.map(isPortFree))).toEqual([false, false]);
  await stack.stop();
  expect(await Promise.all(ports.map(isPortFree))).toEqual([true, true]);
});

const connection = await Connection.connect({ address: inject("temporalAddress") });
afterAll(() => connection.close());

test("Temporal keeps closed workflows for 30 days, so that an id protects from a second start as long", async () => {
  const { config } = await connection.workflowService.describeNamespace({ namespace: "default" });
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
});

test("Temporal knows every search attribute of temporal-config", async () => {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace: "default" });
  const types = Object.entries(readSearchAttributes()).map(([name, type]) => [
    name,
    temporal.api.enums.v1.IndexedValueType[
      `INDEXED_VALUE_TYPE_${type.toUpperCase()}` as keyof typeof temporal.api.enums.v1.IndexedValueType
    ],
  ]);
  expect(customAttributes).toMatchObject(Object.fromEntries(types));
});

test("Temporal gives the first task of a workflow to the process that starts it", async () => {
  const client = new Client({ connection });
  const { capabilities } = await client.workflowService.getSystemInfo({});
  expect(capabilities).toMatchObject({ eagerWorkflowStart: true });
});

test("the server's settings are passed as key=JSON", () => {
  expect(readDynamicConfigValues()).toEqual([
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "system.enableActivityEagerExecution=true",
    "history.maxInFlightUpdates=200",
  ]);
});

test("Kafka makes no topic on its own", async () => {
  await withKafka(inject("kafkaBrokers"), async (admin) => {
    await expect(admin.fetchTopicMetadata({ topics: ["mistyped"] })).rejects.toThrow("This server does not host this topic-partition");
    expect(await admin.listTopics()).not.toContain("mistyped");
  });
});
