import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { deferred } from "../../test/support/deferred.ts";
import { eachInOrder } from "./in-order.ts";

const options = { keysOf: (item: string) => [item.slice(0, 1)], atOnce: 4 };

describe("items done in the order of their keys", () => {
  it("never overtake one of their own key, and their results stand in their places", async () => {
    const begun: string[] = [];
    const lastOfB = deferred();
    const results = await eachInOrder(["a1", "b1", "a2", "c1", "a3", "b2"], options, async (item) => {
      begun.push(item);
      if (item === "b2") lastOfB.resolve();
      if (item === "a1") await lastOfB.promise;
      return item.toUpperCase();
    });
    expect(results).toEqual(["A1", "B1", "A2", "C1", "A3", "B2"]);
    expect(begun.filter((item) => item.startsWith("a"))).toEqual(["a1", "a2", "a3"]);
    expect(begun.indexOf("b2")).toBeLessThan(begun.indexOf("a2"));
  });

  it("are of one order where an item has the keys of two", async () => {
    const begun: string[] = [];
    const keysOf = (item: string) => item.split("");
    await eachInOrder(["a", "b", "c", "ab", "a", "dc", "d"], { keysOf, atOnce: 4 }, async (item) => {
      begun.push(item);
      await sleep(item === "a" ? 20 : 1);
      begun.push(`${item} ended`);
    });
    const of = (key: string) => begun.filter((words) => words.split(" ")[0]?.includes(key));
    expect(of("b")).toEqual(["b", "b ended", "ab", "ab ended"]);
    expect(of("a")).toEqual(["a", "a ended", "ab", "ab ended", "a", "a ended"]);
    expect(of("d")).toEqual(["dc", "dc ended", "d", "d ended"]);
    expect(of("c")).toEqual(["c", "c ended", "dc", "dc ended"]);
  });

  it("begin nothing after one of them failed, and what was under way is waited for", async () => {
    const ended: string[] = [];
    const work = async (item: string) => {
      if (item === "a1") throw new Error("away");
      await sleep(20);
      ended.push(item);
    };
    await expect(eachInOrder(["a1", "b1", "a2", "b2"], { ...options, atOnce: 2 }, work)).rejects.toThrow("away");
    expect(ended).toEqual(["b1"]);
  });

  it("are at most so many at once", async () => {
    let running = 0;
    let most = 0;
    await eachInOrder(["a", "b", "c", "d", "e", "f"], { ...options, atOnce: 2 }, async () => {
      running += 1;
      most = Math.max(most, running);
      await sleep(2);
      running -= 1;
    });
    expect(most).toBe(2);
  });
});
