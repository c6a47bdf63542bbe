import { startOwnServer } from "./own-server.ts";

/** A Kafka of the test's own: on the shared one other tests keep topics that nobody can read. */
export interface OwnKafka {
  readonly brokers: readonly string[];
  close(): Promise<void>;
}

/** Starts it on a free port. Throws: StackError. */
export async function startOwnKafka(cacheDir: string): Promise<OwnKafka> {
  const stack = await startOwnServer("kafka", cacheDir);
  return { brokers: stack.kafka?.brokers ?? [], close: () => stack.stop() };
}
