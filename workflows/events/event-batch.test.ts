import { readFileSync } from "node:fs";
import { ApplicationFailure } from "@temporalio/common";
import type { TestWorkflowEnvironment } from "@temporalio/testing";
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { EventBatchInput, EventBatchPlace, EventBatchResult, EventBatchStart } from "../../src/contract/events.ts";
import { startTimeSkippingServer } from "../../test/support/time-skipping-server.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";

const RESULT: EventBatchResult = { applied: 1, duplicates: 0, refused: 0, conflicts: [], failures: [] };
const input = (paymentMethod: string): EventBatchInput => ({
  topic: "purchases",
  partition: 0,
  firstOffset: "0",
  lastOffset: "0",
  events: [{ offset: "0", userId: "ann", amountMinor: "100", currency: "USD", paymentMethod, occurredAt: "2024-01-01T00:00:00.000Z" }],
});

const PLACE: EventBatchPlace = {
  kind: "purchase",
  topic: "purchases",
  partition: 0,
  firstOffset: "0",
  lastOffset: "4",
  incarnation: { clusterId: "c", topicId: "t" },
  count: 5,
  sha256: "00",
};

let environment: TestWorkflowEnvironment;
let code: string;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger("ERROR") });
  environment = await startTimeSkippingServer();
  code = readFileSync(await buildWorkflowBundle(inject("cacheDir")), "utf8");
});
afterAll(() => environment.teardown());

async function runBatch(batch: EventBatchStart, activities: Record<string, (input: never) => Promise<unknown>>) {
  const workflowId = `events-${performance.now()}`;
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue: workflowId,
    workflowBundle: { code },
    activities,
  });
  const result = (await worker.runUntil(
    environment.client.workflow.execute("eventBatch", { workflowId, taskQueue: workflowId, args: [batch] }),
  )) as EventBatchResult;
  const history = await environment.client.workflow.getHandle(workflowId).fetchHistory();
  return { result, events: history.events?.length ?? 0, size: JSON.stringify(history).length };
}

describe("the workflow of an event batch", () => {
  it("applies the events and leaves the cache alone when no wallet was touched, in few history events", async () => {
    const refreshed: unknown[] = [];
    const { result, events } = await runBatch(input("card"), {
      applyEvents: async () => RESULT,
      refreshWallets: async (wallets) => void refreshed.push(wallets),
    });
    expect(result).toEqual(RESULT);
    expect(refreshed).toEqual([]);
    expect(events).toBeLessThanOrEqual(6);
  });

  it("refreshes the wallets it touched, and does not fail when the cache does", async () => {
    const refreshed: unknown[] = [];
    const { result } = await runBatch(input("wallet"), {
      applyEvents: async () => RESULT,
      refreshWallets: async (wallets) => {
        refreshed.push(wallets);
        throw new Error("no cache");
      },
    });
    expect(result).toEqual(RESULT);
    expect(refreshed).toEqual([{ wallets: [{ userId: "ann", currency: "USD" }] }]);
  });

  it("waits for a store that stays away, without its history growing with the tries", async () => {
    let tries = 0;
    const { result, events } = await runBatch(input("card"), {
      applyEvents: async () => {
        tries += 1;
        if (tries < 30) throw ApplicationFailure.retryable("the ledger is not reachable", "UNAVAILABLE");
        return RESULT;
      },
      refreshWallets: async () => {},
    });
    expect(result).toEqual(RESULT);
    expect(tries).toBe(30);
    expect(events).toBeLessThanOrEqual(15);
  });

  it("applies events that are named by their place, in few history events and without the events in it", async () => {
    const asked: unknown[] = [];
    const { result, events } = await runBatch(PLACE, {
      applyEventsAt: async (place) => {
        asked.push(place);
        return RESULT;
      },
    });
    expect(result).toEqual(RESULT);
    expect(asked).toEqual([PLACE]);
    expect(events).toBeLessThanOrEqual(6);
  });

  it("fails with the code when the events cannot be found by their place, and does not ask again", async () => {
    let tries = 0;
    const running = runBatch(PLACE, {
      applyEventsAt: async () => {
        tries += 1;
        throw ApplicationFailure.nonRetryable("gone", "EVENTS_REMOVED");
      },
    });
    await expect(running).rejects.toMatchObject({ cause: { type: "EVENTS_REMOVED" } });
    expect(tries).toBe(1);
  });
});
