import { describe, expect, test } from "vitest";
import { quickly, quicklyOrOutage } from "./deadline.ts";
import { DomainError } from "./errors.ts";

const never = new Promise<never>(() => {});
const outage = () => Promise.reject(new DomainError("UNAVAILABLE"));

describe("what is waited for briefly", () => {
  test("is done without when it is late or fails", async () => {
    expect(await quickly(Promise.resolve(7), 1_000)).toBe(7);
    expect(await quickly(never, 10)).toBeUndefined();
    expect(await quickly(outage(), 1_000)).toBeUndefined();
  });

  test("is never taken for nothing where it is needed", async () => {
    expect(await quicklyOrOutage(Promise.resolve(undefined), 1_000)).toBeUndefined();
    await expect(quicklyOrOutage(never, 10)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await expect(quicklyOrOutage(outage(), 1_000)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
