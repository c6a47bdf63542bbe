import { Runtime } from "@temporalio/worker";
import { afterAll, expect, it } from "vitest";
import { createLogger } from "../../src/adapters/logger.ts";
import { installRuntime } from "./create-worker.ts";

afterAll(() => Runtime.instance().shutdown());

it("the native part of the SDK logs through our logger, so that a role's log is one JSON object a line", () => {
  installRuntime(createLogger({ role: "test", level: "silent", pretty: false }));
  expect(Runtime.instance().options.runtimeOptions).toMatchObject({ logExporter: { type: "forward" } });
});
