import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { KAFKA_CACHE_NAME } from "../../src/stack/servers/kafka.ts";

const JAVA = "java";

/** Kafka's own Java client, the oracle of what a reader of committed messages gets. */
export interface JavaKafka {
  /** The offsets of the messages of a partition from `from` on, by a consumer with `isolation.level=read_committed`. */
  read(topic: string, partition: number, from: bigint): Promise<bigint[]>;
  /** Sends `count` equal messages to partition 0, packed by `codec` into as few batches as can be. */
  produce(topic: string, codec: "none" | "gzip" | "snappy" | "lz4" | "zstd", count: number, value?: string): Promise<void>;
  close(): Promise<void>;
}

/** Whether this machine can run it: the broker's own jars, and a Java that can compile. */
export function hasJavaKafka(cacheDir: string): boolean {
  const modules = spawnSync(JAVA, ["--list-modules"], { encoding: "utf8" }).stdout ?? "";
  return existsSync(jarsIn(cacheDir)) && modules.includes("jdk.compiler");
}

/** Starts one process, which is ended by `close`. */
export function startJavaKafka({ cacheDir, brokers }: { readonly cacheDir: string; readonly brokers: readonly string[] }): JavaKafka {
  const program = join(import.meta.dirname, "KafkaOracle.java");
  const options = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", join(jarsIn(cacheDir), "*")];
  const child = spawn(JAVA, [...options, program, brokers.join(",")], { stdio: ["pipe", "pipe", "ignore"] });
  const waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.resolve(line));
  const ended = new Promise<void>((resolve) => {
    child.once("close", (code) => {
      for (const one of waiting.splice(0)) one.reject(new Error(`the Java client ended with ${String(code)}`));
      resolve();
    });
  });
  const ask = (line: string): Promise<string> =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      child.stdin.write(`${line}\n`);
    });
  return {
    async read(topic, partition, from) {
      const line = await ask(`read ${topic} ${partition} ${from}`);
      return line === "" ? [] : line.split(" ").map(BigInt);
    },
    async produce(topic, codec, count, value) {
      await ask(["produce", topic, codec, count, ...(value === undefined ? [] : [value])].join(" "));
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

function jarsIn(cacheDir: string): string {
  return join(cacheDir, KAFKA_CACHE_NAME, "jars");
}
