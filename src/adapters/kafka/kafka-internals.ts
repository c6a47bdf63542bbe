import { createRequire } from "node:module";
import type { Admin, Kafka as KafkaClient } from "kafkajs";

const require = createRequire(import.meta.url);

/** A module of the client's own, by its path below `kafkajs/src`. It is the instance that the client itself uses. */
export function clientModule(path: string): unknown {
  return require(`kafkajs/src/${path}`);
}

/** Puts `exports` in the place of a module of the client, for all that load it from now on. Safe to retry. */
export function replaceClientModule(path: string, exports: unknown): void {
  const file = require.resolve(`kafkajs/src/${path}`);
  require(file);
  const module = require.cache[file];
  if (module === undefined) throw new Error(`${path} of the Kafka client cannot be replaced`);
  module.exports = exports;
}

type MakeCluster = (options: Readonly<Record<string, unknown>>) => unknown;

const READ_UNCOMMITTED = 0;

/** What the client knows of one broker. `versions` is there once it is connected. */
export interface ClientBroker {
  readonly nodeId: number | null;
  readonly versions?: Readonly<Record<number, { readonly maxVersion: number }>>;
  metadata(topics: readonly string[]): Promise<{ readonly clusterId?: string | null }>;
  fetch(request: object): Promise<unknown>;
  readonly connectionPool: { send(asked: Readonly<Record<"request" | "response", object>>): Promise<unknown> };
}

/** The client's view of a cluster, with its connections. */
export interface ClientCluster {
  readonly brokerPool: { findConnectedBroker(): Promise<ClientBroker> };
  connect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  /** By the leader's id, as text. */
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Readonly<Record<string, readonly number[]>>;
  findBroker(wanted: { readonly nodeId: number }): Promise<ClientBroker>;
  disconnect(): Promise<void>;
}

/** A cluster of its own for requests that the client does not know. */
export function clusterOf(client: KafkaClient): ClientCluster {
  const { make } = clusterMaker(client);
  return make({ allowAutoTopicCreation: false }) as ClientCluster;
}

function clusterMaker(client: KafkaClient): {
  readonly key: symbol;
  readonly makers: Record<symbol, MakeCluster>;
  readonly make: MakeCluster;
} {
  const key = Object.getOwnPropertySymbols(client).find(({ description }) => description === "private:Kafka:createCluster");
  const makers = client as unknown as Record<symbol, MakeCluster>;
  const make = key === undefined ? undefined : makers[key];
  if (key === undefined || make === undefined) throw new Error("the Kafka client makes its clusters in another way");
  return { key, makers, make };
}

/**
 * An admin of this client that is told the end of a partition. The client's own always asks for what a reader of committed messages may
 * read (kafkajs/src/protocol/requests/listOffsets), which ends at the first open transaction. The client is changed: use it for nothing else.
 */
export function adminOfEnds(client: KafkaClient, options: Parameters<KafkaClient["admin"]>[0]): Admin {
  const { key, makers, make } = clusterMaker(client);
  makers[key] = (asked) => make({ ...asked, isolationLevel: READ_UNCOMMITTED });
  return client.admin(options);
}
