import { Redis } from "ioredis";
import { expect, inject, it } from "vitest";
import { brokerAddresses } from "../../src/adapters/kafka/kafka-addresses.ts";
import { createKafka, ensureTopics } from "../../src/adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createLane } from "../../src/store/postgres/lane.ts";
import { migrateDatabase } from "../../src/store/postgres/migrate.ts";
import { HAS_IPV6, openIpv6Door } from "../support/ipv6-door.ts";
import { createTestDatabase } from "../support/test-database.ts";

const through = (url: string, port: number) => Object.assign(new URL(url), { hostname: "[::1]", port: String(port) }).toString();

// tulios/kafkajs#1589; postgres.js splits its address in the same way.
it.skipIf(!HAS_IPV6)("Postgres is reached at an IPv6 address, for statements and for migrations", async () => {
  const database = await createTestDatabase();
  const door = await openIpv6Door(Number(new URL(database.appUrl).port));
  const [appUrl, adminUrl] = [through(database.appUrl, door.port), through(database.adminUrl, door.port)];
  const lane = createLane({ url: appUrl, name: "ipv6", deadlineMs: 5_000 });
  expect(await migrateDatabase({ appUrl, adminUrl })).toEqual({ applied: 0 });
  expect(await lane.values("select 6", [])).toEqual([[6]]);
  await lane.close();
  door.close();
  await database.drop();
});

it.skipIf(!HAS_IPV6)("Kafka is reached at an IPv6 address", async () => {
  const [broker = ""] = inject("kafkaBrokers");
  const door = await openIpv6Door(Number(broker.split(":")[1]));
  const brokers = [`[::1]:${door.port}`];
  const topic = `ipv6-${door.port}`;
  await ensureTopics(brokers, [{ topic, partitions: 1, settings: {} }]);
  const kafka = createKafka({ brokers, clientId: "ipv6", logger: SILENT_LOG });
  expect(await kafka.topicOffsets(topic)).toMatchObject([{ partition: 0 }]);
  await kafka.close();
  door.close();
});

it.skipIf(!HAS_IPV6)("Redis is reached at an IPv6 address", async () => {
  const url: string | undefined = inject("redisUrl");
  const door = await openIpv6Door(Number(new URL(url).port));
  const redis = new Redis(through(url, door.port), { lazyConnect: true, maxRetriesPerRequest: 1 });
  expect(await redis.ping()).toBe("PONG");
  redis.disconnect();
  door.close();
});

it.each([
  ["kafka", "kafka:9092"],
  ["kafka:19092", "kafka:19092"],
  ["10.0.0.1:9093", "10.0.0.1:9093"],
])("the broker %s stays one whose name the client can split", (broker, expected) => {
  expect(brokerAddresses([broker]).names).toEqual([expected]);
});

it("a broker at an IPv6 address without a port is at 9092", () => {
  expect(brokerAddresses(["[2001:db8::1]", "kafka:1"]).names).toEqual(["ipv6-address-0:9092", "kafka:1"]);
});
