import { Redis } from "ioredis";
import { startOwnServer } from "./own-server.ts";

/** A Redis of the test's own, which it may break. */
export interface OwnRedis {
  readonly url: string;
  /** A connection to it. */
  readonly client: Redis;
  /** Makes it a replica of a master that is gone: it answers reads and refuses writes, as the old master of a fail-over does. */
  becomeReplica(): Promise<void>;
  becomeMaster(): Promise<void>;
  close(): Promise<void>;
}

/** Starts it on a free port. Throws: StackError. */
export async function startOwnRedis(cacheDir: string): Promise<OwnRedis> {
  const stack = await startOwnServer("redis", cacheDir);
  const url = stack.redis?.url ?? "";
  const client = new Redis(url);
  return {
    url,
    client,
    becomeReplica: async () => void (await client.call("REPLICAOF", "127.0.0.1", "1")),
    becomeMaster: async () => void (await client.call("REPLICAOF", "NO", "ONE")),
    async close() {
      client.disconnect();
      await stack.stop();
    },
  };
}
