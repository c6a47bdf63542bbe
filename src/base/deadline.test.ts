import { describe, expect, test } from "vitest";
import { withinOrNothing, withinOrThrow } from "./deadline.ts";
import { DomainError } from "./errors.ts";

const never = new Promise<never>(() => {});
const outage = () => Promise.reject(new DomainError("UNAVAILABLE"));

describe("what is waited for briefly", () => {
  test("is done without when it is late or fails", async () => {
    expect(await withinOrNothing(Promise.resolve(7), 1_000)).toBe(7);
    expect(await withinOrNothing(never, 10)).toBeUndefined();
    expect(await withinOrNothing(outage(), 1_000)).toBeUndefined();
  });

  test("is never taken for nothing where it is needed", async () => {
    expect(await withinOrThrow(Promise.resolve(undefined), 1_000)).toBeUndefined();
    await expect(withinOrThrow(never, 10)).rejects.toMatchObject({ code: "DEADLINE_EXCEEDED" });
    await expect(withinOrThrow(outage(), 1_000)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  });
});
