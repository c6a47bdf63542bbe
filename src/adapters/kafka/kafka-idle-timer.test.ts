import type { EventEmitter } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { stopIdleTimers } from "./kafka-idle-timer.ts";
import { clientModule } from "./kafka-internals.ts";

interface Queue extends EventEmitter {
  throttledUntil: number;
  push(request: object): void;
  fulfillRequest(answer: object): void;
  maybeThrottle(ms: number): void;
}
type QueueClass = new (options: object) => Queue;

stopIdleTimers();

const logger = { debug() {}, warn() {}, namespace: () => logger };
const RequestQueueClass = clientModule("network/requestQueue/index.js") as QueueClass;

function openQueue(maxInFlightRequests: number) {
  const sent: number[] = [];
  const queue = new RequestQueueClass({
    maxInFlightRequests,
    requestTimeout: 60_000,
    enforceRequestTimeout: false,
    clientId: "test",
    broker: "broker",
    logger,
    isConnected: () => true,
  });
  const push = (correlationId: number) =>
    queue.push({
      entry: { correlationId, apiKey: 3, apiName: "Metadata", apiVersion: 1, resolve() {}, reject() {} },
      expectResponse: true,
      sendRequest: () => sent.push(correlationId),
    });
  const answer = (correlationId: number) => queue.fulfillRequest({ correlationId, payload: null, size: 0 });
  return { queue, sent, push, answer };
}

describe("the timers of a connection to Kafka", () => {
  afterEach(() => vi.useRealTimers());

  it("has none while nothing waits to be sent", () => {
    vi.useFakeTimers();
    const { push, answer, sent } = openQueue(5);
    push(1);
    answer(1);
    expect(sent).toEqual([1]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("sends a request that waited for another as soon as that one is answered", () => {
    vi.useFakeTimers();
    const { push, answer, sent } = openQueue(1);
    push(1);
    push(2);
    expect(sent).toEqual([1]);
    answer(1);
    answer(2);
    expect(sent).toEqual([1, 2]);
    vi.runOnlyPendingTimers();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("sends what waited for the end of a throttle when it ends, though nothing else happens", () => {
    vi.useFakeTimers();
    const { queue, push, sent } = openQueue(5);
    queue.maybeThrottle(1_000);
    push(1);
    vi.advanceTimersByTime(900);
    expect(sent).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(sent).toEqual([1]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
