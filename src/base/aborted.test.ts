import { describe, expect, it } from "vitest";
import { unlessAborted, untilAborted } from "./aborted.ts";

const stopped = () => new Error("stopped");

describe("a wait that a signal ends", () => {
  it("settles at once when the signal has aborted already, and when it aborts later", async () => {
    await untilAborted(AbortSignal.abort());
    const stop = new AbortController();
    const waiting = untilAborted(stop.signal);
    stop.abort();
    await waiting;
  });

  it("gives the work's result, or the reason of the abort, whichever comes first", async () => {
    const stop = new AbortController();
    expect(await unlessAborted(Promise.resolve(7), stop.signal, stopped)).toBe(7);
    await expect(unlessAborted(Promise.reject(new Error("failed")), stop.signal, stopped)).rejects.toThrow("failed");
    const hanging = unlessAborted(new Promise(() => {}), stop.signal, stopped);
    stop.abort();
    await expect(hanging).rejects.toThrow("stopped");
    await expect(unlessAborted(new Promise(() => {}), stop.signal, stopped)).rejects.toThrow("stopped");
  });
});
