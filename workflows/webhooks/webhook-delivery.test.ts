import type { TestWorkflowEnvironment } from "@temporalio/testing";
import { DefaultLogger, Runtime, Worker } from "@temporalio/worker";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { WebhookAttemptInput, WebhookAttemptResult } from "../../src/contract/webhooks.ts";
import { startTimeSkippingServer } from "../../test/support/time-skipping-server.ts";
import { buildWorkflowBundle } from "../../workers/parts/workflow-bundle.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let environment: TestWorkflowEnvironment;
let codePath: string;

beforeAll(async () => {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger("ERROR") });
  environment = await startTimeSkippingServer();
  codePath = await buildWorkflowBundle(inject("cacheDir"));
});
afterAll(() => environment.teardown());

async function deliver(attempt: (input: WebhookAttemptInput) => Promise<WebhookAttemptResult>, signalFirst = false): Promise<void> {
  const workflowId = `webhook/w/${performance.now()}`;
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue: workflowId,
    workflowBundle: { codePath },
    activities: { attemptWebhookDelivery: attempt },
    maxCachedWorkflows: 0,
    maxConcurrentWorkflowTaskExecutions: 1,
  });
  const options = { workflowId, taskQueue: workflowId, args: [{ webhookId: "w", eventId: "e", deliveryId: "1" }] };
  await worker.runUntil(async () => {
    const handle = signalFirst
      ? await environment.client.workflow.signalWithStart("webhookDelivery", { ...options, signal: "deliverNow" })
      : await environment.client.workflow.start("webhookDelivery", options);
    await handle.result();
  });
}

describe("the delivery of a webhook", () => {
  it("is tried ten times over more than three days, at the convention's intervals", async () => {
    const delays: (number | null)[] = [];
    const atMs: number[] = [];
    await deliver(async ({ nextDelayMs }) => {
      delays.push(nextDelayMs);
      atMs.push(await environment.currentTimeMs());
      return nextDelayMs === null ? "settled" : "again";
    });
    const expected = [5_000, 5 * MINUTE_MS, 30 * MINUTE_MS, ...[2, 5, 10, 14, 20, 24].map((hours) => hours * HOUR_MS)];
    expect(delays).toHaveLength(10);
    expect(delays.at(-1)).toBeNull();
    for (const [place, delayMs] of expected.entries()) {
      const waitedMs = (atMs[place + 1] ?? 0) - (atMs[place] ?? 0);
      expect(delays[place]).toBeGreaterThanOrEqual(delayMs * 0.9);
      expect(delays[place]).toBeLessThanOrEqual(delayMs * 1.1);
      expect(waitedMs).toBeGreaterThanOrEqual((delays[place] ?? 0) - 1_000);
    }
    expect((atMs.at(-1) ?? 0) - (atMs[0] ?? 0)).toBeGreaterThan(3 * 24 * HOUR_MS * 0.9);
  });

  it("waits as long as the receiver asked for, where that is longer", async () => {
    const atMs: number[] = [];
    await deliver(async () => {
      atMs.push(await environment.currentTimeMs());
      return atMs.length === 1 ? { againInMs: 40 * MINUTE_MS } : "settled";
    });
    expect((atMs[1] ?? 0) - (atMs[0] ?? 0)).toBeGreaterThanOrEqual(40 * MINUTE_MS - 1_000);
  });

  it("ends with the attempt that settles it", async () => {
    let attempts = 0;
    await deliver(async () => {
      attempts += 1;
      return attempts === 3 ? "settled" : "again";
    }, true);
    expect(attempts).toBeGreaterThanOrEqual(3);
    expect(attempts).toBeLessThanOrEqual(4);
  });
});
