import type { Kafka as KafkaClient } from "kafkajs";
import type { TopicIncarnation } from "../../contract/topic-incarnations.ts";
import { clientModule, clusterOf, type ClientBroker, type ClientCluster } from "./kafka-internals.ts";

/** Tells which topic of a name stands on the brokers. */
export interface IncarnationReader {
  /**
   * The topic that stands there at this moment, as the leader of the partition knows it; undefined when there is none. What the leader handed out
   * before is of this topic or of an earlier one of the name. Throws: the client's error.
   */
  read(topic: string, partition: number): Promise<TopicIncarnation | undefined>;
  close(): Promise<void>;
}

/** Kafka's number of the request, its first version that names ids (Kafka 2.8), and the error of a topic that is not there. */
const METADATA = 3;
const VERSION = 10;
const UNKNOWN_TOPIC = 3;
const NO_TOPIC_ID = Buffer.alloc(16);

/** Asks by a connection of its own, which is made with the first question and anew after an error. The client is used for nothing else. */
export function createIncarnationReader(client: KafkaClient): IncarnationReader {
  let open: Promise<ClientCluster> | undefined;
  const cluster = (): Promise<ClientCluster> => {
    open ??= connect(client).catch((error: unknown) => {
      open = undefined;
      throw error;
    });
    return open;
  };
  const close = async (): Promise<void> => {
    const closing = open;
    open = undefined;
    await closing?.then((opened) => opened.disconnect()).catch(() => {});
  };
  return {
    async read(topic, partition) {
      try {
        return await readFromLeader(await cluster(), topic, partition);
      } catch (error) {
        await close();
        throw error;
      }
    },
    close,
  };
}

async function connect(client: KafkaClient): Promise<ClientCluster> {
  const cluster = clusterOf(client);
  await cluster.connect();
  await cluster.refreshMetadata();
  return cluster;
}

// Another broker than the leader may not have heard yet of a topic that was made again.
async function readFromLeader(cluster: ClientCluster, topic: string, partition: number): Promise<TopicIncarnation | undefined> {
  const any = await cluster.brokerPool.findConnectedBroker();
  const answer = await ask(any, topic);
  const leader = answer.leaders.get(partition);
  if (answer.brokers === 1 || leader === undefined || leader < 0 || leader === any.nodeId) return answer.incarnation;
  return (await ask(await cluster.findBroker({ nodeId: leader }), topic)).incarnation;
}

interface Answer {
  readonly brokers: number;
  readonly incarnation: TopicIncarnation | undefined;
  readonly leaders: ReadonlyMap<number, number>;
}

interface Encoder {
  writeInt8(value: number): Encoder;
  writeBoolean(value: boolean): Encoder;
  writeUVarInt(value: number): Encoder;
  writeUVarIntString(value: string): Encoder;
  writeBuffer(value: Buffer): Encoder;
}

interface Decoder {
  readInt8(): number;
  readInt16(): number;
  readInt32(): number;
  readBytes(length: number): Buffer;
  readUVarInt(): number;
  readUVarIntString(): string | null;
  readTaggedFields(): unknown;
}

async function ask(broker: ClientBroker, topic: string): Promise<Answer> {
  if ((broker.versions?.[METADATA]?.maxVersion ?? 0) < VERSION) return await askWithoutIds(broker, topic);
  return (await broker.connectionPool.send({
    request: { apiKey: METADATA, apiVersion: VERSION, apiName: "Metadata", encode: async () => encode(topic) },
    response: { decode: async (bytes: Buffer) => decode(bytes, topic), parse: async (answer: unknown) => answer },
  })) as Answer;
}

// A broker before Kafka 2.8: its topics are told apart by the cluster alone.
async function askWithoutIds(broker: ClientBroker, topic: string): Promise<Answer> {
  const { clusterId } = await broker.metadata([topic]);
  return { brokers: 1, incarnation: { clusterId: clusterId ?? "", topicId: "" }, leaders: new Map() };
}

/** The client writes the header up to its id (kafkajs/src/protocol/request.js); the header of this version ends with tagged fields, here none. */
function encode(topic: string): Encoder {
  const EncoderClass = clientModule("protocol/encoder.js") as new () => Encoder;
  return new EncoderClass()
    .writeUVarInt(0)
    .writeUVarInt(2) // One topic: a compact array says its length and one.
    .writeBuffer(NO_TOPIC_ID)
    .writeUVarIntString(topic)
    .writeUVarInt(0)
    .writeBoolean(false) // No topic is made by asking for it.
    .writeBoolean(false)
    .writeBoolean(false)
    .writeUVarInt(0);
}

function decode(bytes: Buffer, topic: string): Answer {
  const DecoderClass = clientModule("protocol/decoder.js") as new (buffer: Buffer) => Decoder;
  const decoder = new DecoderClass(bytes);
  decoder.readTaggedFields();
  decoder.readInt32(); // The time that the client is asked to wait.
  const brokers = decoder.readUVarInt() - 1;
  for (let place = 0; place < brokers; place += 1) readBroker(decoder);
  const clusterId = decoder.readUVarIntString() ?? "";
  decoder.readInt32(); // The controller.
  decoder.readUVarInt(); // How many topics: the one that was asked for.
  const errorCode = decoder.readInt16();
  decoder.readUVarIntString();
  const topicId = decoder.readBytes(16);
  decoder.readInt8(); // Whether it is internal.
  const leaders = new Map<number, number>();
  const partitions = decoder.readUVarInt() - 1;
  for (let place = 0; place < partitions; place += 1) leaders.set(...readPartition(decoder));
  if (errorCode === UNKNOWN_TOPIC) return { brokers, incarnation: undefined, leaders };
  if (errorCode !== 0) throw new Error(`the broker does not describe the topic ${topic}: its error ${errorCode}`);
  return { brokers, incarnation: { clusterId, topicId: topicId.equals(NO_TOPIC_ID) ? "" : topicId.toString("base64url") }, leaders };
}

function readBroker(decoder: Decoder): void {
  decoder.readInt32();
  decoder.readUVarIntString();
  decoder.readInt32();
  decoder.readUVarIntString();
  decoder.readTaggedFields();
}

function readPartition(decoder: Decoder): [partition: number, leader: number] {
  decoder.readInt16();
  const partition = decoder.readInt32();
  const leader = decoder.readInt32();
  decoder.readInt32();
  // The replicas, those in sync, and those that are offline.
  for (let list = 0; list < 3; list += 1) for (let left = decoder.readUVarInt() - 1; left > 0; left -= 1) decoder.readInt32();
  decoder.readTaggedFields();
  return [partition, leader];
}
