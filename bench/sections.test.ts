import { expect, it } from "vitest";
import { createResults, Stopped } from "./sections.ts";

const silent = () => undefined;

it("a section that fails is named and the next one runs", async () => {
  const results = createResults(new AbortController().signal, silent);
  await results.attempt("first", 1_000, () => Promise.reject(new Error("wrong sum")));
  await results.attempt("second", 1_000, async () => []);
  expect(results.failures).toEqual([{ section: "first", reason: "wrong sum" }]);
});

it("a section that never ends fails at its deadline", async () => {
  const results = createResults(new AbortController().signal, silent);
  await results.attempt("endless", 10, () => new Promise(() => undefined));
  expect(results.failures[0]?.reason).toMatch(/took longer than/);
});

it("an order to stop ends the section in hand, and the part is stopped all the same", async () => {
  const stop = new AbortController();
  const results = createResults(stop.signal, silent);
  let stopped = 0;
  const part = { part: undefined, stop: async () => void (stopped += 1) };
  const used = results.using(
    "part",
    async () => part,
    () => results.attempt("endless", 60_000, () => new Promise(() => undefined)),
  );
  stop.abort();
  await expect(used).rejects.toBeInstanceOf(Stopped);
  expect(stopped).toBe(1);
});

it("a part that cannot be started fails and has nothing to stop", async () => {
  const results = createResults(new AbortController().signal, silent);
  await results.using(
    "part",
    () => Promise.reject(new Error("no port")),
    async () => undefined,
  );
  expect(results.failures).toEqual([{ section: "part", reason: "no port" }]);
});
