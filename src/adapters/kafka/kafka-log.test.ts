import { logLevel } from "kafkajs";
import { expect, it } from "vitest";
import type { Log } from "../log.ts";
import { writeClientLog } from "./kafka-log.ts";

const LOADING = "The coordinator is loading and hence can't process requests for this group";

it.each([
  ["a broker that is still coming up", "Connection", { message: "Response JoinGroup(key: 11, version: 5)", error: LOADING }, "debug"],
  ["a restart for a broker that is still coming up", "Consumer", { message: `Crash: KafkaJSNumberOfRetriesExceeded: ${LOADING}` }, "debug"],
  ["a lost connection", "Connection", { message: "Connection error: connect ECONNREFUSED" }, "warn"],
  ["a crash", "Consumer", { message: "Crash: TypeError: x is not a function" }, "error"],
  ["what follows a crash", "Consumer", { message: "Restarting the consumer in 200ms" }, "warn"],
])("the client's word of %s", (_what, namespace, log, level) => {
  const written: string[] = [];
  const logger = Object.fromEntries(["debug", "info", "warn", "error"].map((name) => [name, () => written.push(name)])) as unknown as Log;
  writeClientLog(logger, { namespace, level: logLevel.ERROR, log: { timestamp: "", ...log } });
  expect(written).toEqual([level]);
});
