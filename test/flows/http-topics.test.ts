import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { createKafka, ensureTopics, type Kafka } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { listen, type HttpServer } from "../../src/api/http/http-server.ts";
import { readIncarnation } from "../../src/store/events/topic-incarnations.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

const topic = `moved-${randomUUID().slice(0, 8)}`;
let database: TestDatabase;
let api: TestApi;
let server: HttpServer;
let kafka: Kafka;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
  server = await listen(api.app, { host: "127.0.0.1", port: 0 });
  kafka = createKafka({ brokers: inject("kafkaBrokers"), clientId: "topics", logger: SILENT_LOG });
  await ensureTopics(inject("kafkaBrokers"), [{ topic, partitions: 1, settings: {} }]);
  await readIncarnation(api.db, topic, { clusterId: "old", topicId: "one" });
});
afterAll(async () => {
  await kafka.close();
  await server.close(100);
  await api.close();
  await database.drop();
});

const topics = (...args: string[]): Promise<{ code: number; output: string }> => {
  const env = { PATH: process.env["PATH"], SALDO_TOKEN: "any" };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [
        "--import",
        "tsx",
        fileURLToPath(new URL("../../src/cli/topics.ts", import.meta.url)),
        ...args,
        "--api",
        `http://127.0.0.1:${server.port}`,
      ],
      { env, cwd: fileURLToPath(new URL("../..", import.meta.url)) },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });
};

it("an operator says of a topic on the new cluster that it is a copy, by the command, and it is kept who said it", async () => {
  const now = await kafka.topicIncarnation(topic);
  const brokers = inject("kafkaBrokers").join(",");
  const [same, unknown, missing, unreasoned] = await Promise.all([
    topics("same", topic, "--as", "1", "--brokers", brokers, "--reason", "a mirror"),
    topics("same", topic, "--as", "7", "--brokers", brokers, "--reason", "a mirror"),
    topics("different", `no-${topic}`, "--brokers", brokers, "--reason", "new"),
    topics("same", topic, "--as", "1", "--brokers", brokers),
  ]);
  expect(same).toEqual({
    code: 0,
    output: `${topic} with the id ${now?.topicId} of the cluster ${now?.clusterId} is number 1: its places are those of ${topic}.\n`,
  });
  expect([unknown.code, unknown.output]).toEqual([1, expect.stringContaining(`no ${topic} has the number 7`)]);
  expect([missing.code, missing.output]).toEqual([1, expect.stringContaining(`there is no topic no-${topic}`)]);
  expect([unreasoned.code, unreasoned.output]).toEqual([2, expect.stringContaining("--reason")]);
  const { output } = await topics("list");
  expect(output).toContain(`${topic}  1  ${topic}  cluster old  id one  read from `);
  expect(output).toContain(`${topic}  1  ${topic}  cluster ${now?.clusterId}  id ${now?.topicId}  not read yet`);
  const acts = await api.db.execute<{ act: string; reason: string }>(`select act, reason from acts where subject_type = 'topic'`);
  expect([...acts].map(({ act, reason }) => [act, reason])).toEqual([["topic.declared-same", "a mirror"]]);
});

it("is told 409 once messages of it were taken, and 422 for a number that no topic has", async () => {
  const say = (body: object) => api.call("POST", `/api/v1/topics/${topic}/incarnations`, { body: { reason: "a move", ...body } });
  const read = { clusterId: "third", topicId: "three" };
  expect((await say(read)).body).toMatchObject({ topic, number: 2, calledInPlaces: `${topic}~2` });
  await readIncarnation(api.db, topic, read);
  const [late, again, unknown] = await Promise.all([say({ ...read, sameAs: 1 }), say(read), say({ ...read, topicId: "x", sameAs: 9 })]);
  expect([late.status, late.body["code"]]).toEqual([409, "CONFLICT"]);
  expect([again.status, again.body["number"]]).toEqual([201, 2]);
  expect([unknown.status, unknown.body["code"]]).toEqual([expect.any(Number), "INVALID_REQUEST"]);
  const listed = (await api.call("GET", "/api/v1/topics")).body["topics"];
  expect(listed).toContainEqual(expect.objectContaining({ ...read, number: 2, calledInPlaces: `${topic}~2` }));
});
