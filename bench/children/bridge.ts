import { messageOf } from "../../src/base/errors.ts";
import { loadConfig } from "../../src/config.ts";
import { openBenchBridge } from "./bench-bridge.ts";
import { serveParent } from "./serve.ts";

/** How a reader of a topic stands. */
export interface ReaderState {
  readonly joined: boolean;
  readonly failure?: string;
}

export interface ReaderCommands extends Record<string, (input: never) => Promise<unknown>> {
  /** Reads a topic in a group of the topic's name. */
  read(input: { topic: string }): Promise<void>;
  state(input: undefined): Promise<ReaderState>;
  stopReading(input: undefined): Promise<void>;
}

/** The bridge's own parts in a process of the benchmark; its configuration comes from the environment. */
serveParent(async ({ brokers }: { brokers: readonly string[] }) => {
  const bridge = await openBenchBridge(loadConfig(), brokers);
  let reader: ReturnType<typeof bridge.read> | undefined;
  const commands: ReaderCommands = {
    async read({ topic }) {
      reader = bridge.read(topic);
    },
    async state() {
      const failure = reader?.failure();
      return { joined: reader?.joined() ?? false, ...(failure === undefined ? {} : { failure: messageOf(failure) }) };
    },
    async stopReading() {
      await reader?.stop();
      reader = undefined;
    },
  };
  return { commands, close: () => bridge.close() };
});
