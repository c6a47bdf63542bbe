import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { startOwnServer } from "./own-server.ts";
import { until } from "./until.ts";

/** A Redis of the test's own, which it may break. */
export interface OwnRedis {
  readonly url: string;
  /** A connection to it. */
  readonly client: Redis;
  /** Makes it a replica of a master that is gone: it answers reads and refuses writes, as the old master of a fail-over does. */
  becomeReplica(): Promise<void>;
  becomeMaster(): Promise<void>;
  processId(): Promise<number>;
  /** Kills it (SIGKILL); its keeper starts it again, empty. */
  kill(): Promise<void>;
  /** Stops it where it stands: it keeps its connections and answers nothing, until `goOn`. */
  pause(): Promise<void>;
  goOn(): void;
  /** Gives it the content that it had a moment ago, as a fail-over to a replica that lags and back does. Its clients stay connected. */
  failOverAndBack(): Promise<void>;
  close(): Promise<void>;
}

/** How long a replica lags that is failed over to. */
const LAG_MS = 500;

/** Starts it on a free port. Throws: StackError. */
export async function startOwnRedis(cacheDir: string): Promise<OwnRedis> {
  const stack = await startOwnServer("redis", cacheDir);
  const url = stack.redis?.url ?? "";
  const client = new Redis(url);
  client.on("error", () => {});
  const processId = async () => Number(/process_id:(\d+)/.exec(await client.info("server"))?.[1]);
  let pid = 0;
  return {
    url,
    client,
    becomeReplica: async () => void (await client.call("REPLICAOF", "127.0.0.1", "1")),
    becomeMaster: async () => void (await client.call("REPLICAOF", "NO", "ONE")),
    processId,
    async kill() {
      pid = await processId();
      process.kill(pid, "SIGKILL");
    },
    async pause() {
      pid = await processId();
      process.kill(pid, "SIGSTOP");
    },
    goOn: () => void process.kill(pid, "SIGCONT"),
    async failOverAndBack() {
      const other = await startOwnServer("redis", cacheDir);
      const { hostname, port } = new URL(url);
      const { port: otherPort } = new URL(other.redis?.url ?? "");
      const copy = new Redis(other.redis?.url ?? "");
      try {
        await copy.call("REPLICAOF", hostname, port);
        await until("the replica is in step", async () => (await copy.info("replication")).includes("master_link_status:up"));
        await copy.call("REPLICAOF", "NO", "ONE");
        await sleep(LAG_MS);
        await client.call("REPLICAOF", hostname, otherPort);
        await until("the server has the replica's content", async () =>
          (await client.info("replication")).includes("master_link_status:up"),
        );
        await client.call("REPLICAOF", "NO", "ONE");
      } finally {
        copy.disconnect();
        await other.stop();
      }
    },
    async close() {
      client.disconnect();
      await stack.stop();
    },
  };
}
