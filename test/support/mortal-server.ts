import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../src/stack/free-port.ts";
import type { ServerEvent } from "../../src/stack/processes/keep-server.ts";
import { startStack } from "../../src/stack/stack.ts";
import { until } from "./until.ts";

/** A server outside of the system that uses it, so that a test can kill it and keep it away. */
export interface MortalServer {
  /** The settings that give the system the server's address. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Kills the server (SIGKILL), keeps it away for `downMs` and settles when it answers again, on its port and with its data. With 0 its keeper
   * starts it again at once, as under `npm start`. Throws: StackError, or Error when the server does not come back.
   */
  killFor(downMs: number): Promise<void>;
  stop(): Promise<void>;
}

const BACK_WITHIN_MS = 60_000;

/** Starts a server on a free port with its data in `dataDir`. Throws: StackError. */
export async function startMortalServer(options: {
  readonly server: "kafka" | "temporal";
  readonly dataDir: string;
  readonly cacheDir: string;
  readonly onKillable: (kill: () => void) => void;
}): Promise<MortalServer> {
  const { server, dataDir, cacheDir, onKillable } = options;
  const ports = { postgres: 0, temporal: 0, temporalUi: 0, redis: 0, kafka: 0, [server]: await freePort() };
  const events: ServerEvent[] = [];
  const start = () =>
    startStack({
      servers: [server],
      required: [server],
      dataDir,
      cacheDir,
      ephemeral: false,
      ports,
      onServerEvent: (event) => events.push(event),
      onKillable,
    });
  let stack = await start();
  const environment = {
    ...(stack.kafka === undefined ? {} : { KAFKA_BROKERS: stack.kafka.brokers.join(",") }),
    ...(stack.temporal === undefined ? {} : { TEMPORAL_ADDRESS: stack.temporal.address }),
  };
  return {
    environment,
    async killFor(downMs) {
      const { pid } = JSON.parse(readFileSync(join(dataDir, "pids", `${server}.json`), "utf8")) as { pid: number };
      const killedAtMs = performance.now();
      events.length = 0;
      process.kill(pid, "SIGKILL");
      if (downMs === 0) return until(`${server} runs again`, () => events.some(({ state }) => state === "back"), BACK_WITHIN_MS);
      // The keeper would start the server again after 200 ms.
      await stack.stop();
      await sleep(downMs - (performance.now() - killedAtMs));
      stack = await start();
    },
    stop: () => stack.stop(),
  };
}
