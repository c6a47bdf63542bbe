import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startPspBench, step, type PspBench } from "../../../test/support/psp-bench.ts";
import type { TestPsp } from "../../../test/support/psp.ts";
import type { HttpPsp, PspOptions } from "./psp-http.ts";

let bench: PspBench;
let provider: TestPsp;

beforeEach(async () => {
  bench = await startPspBench();
  ({ provider } = bench);
});

afterEach(async () => {
  vi.useRealTimers();
  await bench.close();
});

const connect = (options?: Partial<PspOptions>) => bench.connect(options);
const answering = (...statuses: readonly number[]) => bench.answering(...statuses);

describe("the breaker", () => {
  const call = (psp: HttpPsp, key = "b1:a") =>
    psp.authorise({ ...step(key), cardToken: "t" }).then(
      () => "approved",
      (error: unknown) => error as { code: string; details: { retryAfterMs?: string } },
    );

  it("opens at the fifth failure in a row and then sends nothing for thirty seconds", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const states: string[] = [];
    const { url, count } = await answering(503);
    const psp = connect({ url, onBreakerState: (state) => states.push(state) });
    await call(psp);
    expect([count(), psp.breakerState()]).toEqual([4, "closed"]);
    await call(psp);
    expect([count(), psp.breakerState()]).toEqual([5, "open"]);
    expect(await call(psp)).toMatchObject({ code: "PSP_UNAVAILABLE", details: { retryAfterMs: "30000" } });
    vi.setSystemTime(Date.now() + 29_999);
    expect(await call(psp)).toMatchObject({ details: { retryAfterMs: "1" } });
    expect([count(), states]).toEqual([5, ["open"]]);
  });

  it("does not open at four failures and a success", async () => {
    const { url, now } = await answering(503);
    const psp = connect({ url });
    await call(psp, "k");
    now(200);
    expect(await call(psp, "k")).toBe("approved");
    now(503);
    await call(psp, "k");
    expect(psp.breakerState()).toBe("closed");
  });

  it("lets one probe through after thirty seconds, however many ask; a good answer closes it", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { url, count, now } = await answering(503);
    const psp = connect({ url });
    await call(psp);
    await call(psp);
    vi.setSystemTime(Date.now() + 30_000);
    now(200);
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(psp, "k")));
    expect(answers.filter((answer) => answer === "approved")).toHaveLength(1);
    expect([count(), psp.breakerState()]).toEqual([6, "closed"]);
    expect(await call(psp, "k")).toBe("approved");
  });

  it("stays open for thirty seconds more when the probe fails: one request, no retries", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { url, count } = await answering(503);
    const psp = connect({ url });
    await call(psp);
    await call(psp);
    vi.setSystemTime(Date.now() + 30_000);
    await Promise.all(Array.from({ length: 20 }, () => call(psp)));
    expect([count(), psp.breakerState()]).toEqual([6, "open"]);
    expect(await call(psp)).toMatchObject({ details: { retryAfterMs: "30000" } });
  });

  it("keeps a storm of 500 callers through a minute of 5xx to those that were out when it opened and one probe each half minute", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    provider.script({ kinds: ["5xx"], steps: ["authorise", "capture", "cancel", "refund", "look-up", "tokenise"] });
    const psp = connect({ timeoutMs: 5_000 });
    for (let second = 0; second < 60; second += 1) {
      await Promise.all(Array.from({ length: second === 0 ? 500 : 50 }, (_, caller) => call(psp, `storm${caller}:a`)));
      vi.setSystemTime(Date.now() + 1_000);
    }
    expect(provider.book().calls.length).toBeLessThanOrEqual(64 + 4 + 2);
    expect(provider.book().calls.length).toBeGreaterThan(5);
  });
});
