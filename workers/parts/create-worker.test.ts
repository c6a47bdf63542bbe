import { Runtime } from "@temporalio/worker";
import { afterAll, expect, it } from "vitest";
import { createLogger } from "../../src/adapters/logger.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { cacheShares, installRuntime } from "./create-worker.ts";

afterAll(() => Runtime.instance().shutdown());

it("the native part of the SDK logs through our logger, so that a role's log is one JSON object a line", () => {
  installRuntime(createLogger({ role: "test", level: "silent", pretty: false }));
  expect(Runtime.instance().options.runtimeOptions).toMatchObject({ logExporter: { type: "forward" } });
});

it("the queues of one process share its cache, of which orders have what the others leave", () => {
  const all = Object.values(TASK_QUEUES);
  const shares = cacheShares(all, 500);
  expect(shares).toEqual({ orders: 380, webhooks: 100, reports: 20 });
  expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBe(500);
  expect(cacheShares([TASK_QUEUES.orders], 500)).toEqual({ orders: 500 });
  expect(cacheShares(all, 0)).toEqual({ orders: 0, payments: 0, reports: 0, webhooks: 0 });
});

it("no queue that runs workflows has a smaller cache than the SDK takes", () => {
  expect(cacheShares(Object.values(TASK_QUEUES), 3)).toEqual({ orders: 2, webhooks: 2, reports: 2 });
});
