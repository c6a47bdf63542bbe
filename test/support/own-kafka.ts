import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStack } from "../../src/stack/stack.ts";

/** A Kafka of the test's own: on the shared one other tests keep topics that nobody can read. */
export interface OwnKafka {
  readonly brokers: readonly string[];
  close(): Promise<void>;
}

/** Starts it on a free port. Throws: StackError. */
export async function startOwnKafka(cacheDir: string): Promise<OwnKafka> {
  const stack = await startStack({
    servers: ["kafka"],
    required: ["kafka"],
    dataDir: mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-kafka-`)),
    cacheDir,
    ephemeral: true,
    ports: "free",
  });
  return { brokers: stack.kafka?.brokers ?? [], close: () => stack.stop() };
}
