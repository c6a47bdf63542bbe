import { expect, it } from "vitest";
import { levelOf, openLoop } from "./open-loop.ts";

it("arrivals are made whatever becomes of those before them, and all answers are waited for", async () => {
  let open = 0;
  let most = 0;
  const level = await openLoop({
    perSecond: 1_000,
    durationMs: 20,
    arrive: async () => {
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => void setTimeout(resolve, 100));
      open -= 1;
      return "accepted";
    },
  });
  expect(most).toBe(20);
  expect(level).toMatchObject({ accepted: 20, refused: 0, lost: 0, offeredPerSecond: 1_000 });
});

it("an arrival without an answer is lost and not accepted", async () => {
  const level = await openLoop({ perSecond: 100, durationMs: 20, arrive: () => Promise.reject(new Error("broken")) });
  expect(level).toMatchObject({ accepted: 0, lost: 2 });
});

it("latencies are those of what was accepted", () => {
  const level = levelOf(
    [
      { fate: "accepted", tookMs: 10 },
      { fate: "accepted", tookMs: 30 },
      { fate: "refused", tookMs: 1 },
    ],
    3,
    2_000,
  );
  expect(level).toMatchObject({ p50Ms: 10, p99Ms: 30, acceptedPerSecond: 1, refusedPerSecond: 0.5 });
});
