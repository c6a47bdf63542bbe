import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import type { ApiEnv } from "../api-env.ts";
import { readIdempotencyKey } from "./idempotency.ts";

describe("an Idempotency-Key", () => {
  it("stands for one request on each route, however often a request reads it", async () => {
    const app = new Hono<ApiEnv>();
    app.post("/", (context) => {
      context.set("caller", "shop");
      const [first, again, elsewhere, back] = ["deposits", "deposits", "withdrawals", "deposits"].map((route) =>
        readIdempotencyKey(context, route),
      );
      return context.json([first?.key, again?.key, elsewhere?.key, back?.key, first?.id === again?.id, first?.id === elsewhere?.id]);
    });
    const answer = await app.request("/", { method: "POST", headers: { "idempotency-key": "k-1" } });
    const [first, again, elsewhere, back, sameId, sameIdElsewhere] = (await answer.json()) as unknown[];
    expect([again, back]).toEqual([first, first]);
    expect(elsewhere).not.toBe(first);
    expect([sameId, sameIdElsewhere]).toEqual([true, false]);
  });
});
