import type { Client } from "@temporalio/client";
import { expect, test } from "vitest";
import { createDeferredStarters } from "./deferred.ts";
import { createStarters, type Starters } from "./index.ts";

test("refuses with UNAVAILABLE until the real starters are there, then passes every call on", async () => {
  const deferred = createDeferredStarters();
  const calls: unknown[][] = [];
  const names = [
    "startOrder",
    "cancelOrder",
    "orderStatus",
    "placeReservation",
    "confirmReservation",
    "releaseReservation",
    "reservationStatus",
    "startReport",
    "reportProgress",
    "runEventBatch",
  ] as const satisfies readonly (keyof Starters)[];
  const call = (name: (typeof names)[number]) => (deferred[name] as (...parameters: unknown[]) => Promise<unknown>)("first", "second");
  for (const name of names) await expect(call(name)).rejects.toMatchObject({ code: "UNAVAILABLE" });

  const real = Object.fromEntries(
    names.map((name) => [
      name,
      (...parameters: unknown[]) => {
        calls.push([name, parameters[0]]);
        return Promise.resolve(name);
      },
    ]),
  );
  deferred.attach(real as unknown as Starters);
  for (const name of names) expect(await call(name)).toBe(name);
  expect(calls).toEqual(names.map((name) => [name, "first"]));
});

test("has every method that the real starters have", () => {
  const { attach: _, ...methods } = createDeferredStarters();
  const real = createStarters({ client: {} as Client, eager: false, deadlineMs: 1_000 });
  expect(Object.keys(methods).toSorted()).toEqual(Object.keys(real).toSorted());
});
