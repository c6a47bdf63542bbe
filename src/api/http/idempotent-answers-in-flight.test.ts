import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { deferred } from "../../../test/support/deferred.ts";
import {
  createKeyedProcess,
  keyOf,
  newText,
  NO_REDIS,
  openAnswerStores,
  type AnswerStores,
  type ProcessOptions,
  type Work,
} from "../../../test/support/keyed-route.ts";
import { until } from "../../../test/support/until.ts";
import { answerLeaseKey, createAnswerCache } from "../../adapters/redis/answer-cache.ts";
import type { RedisLink } from "../../adapters/redis/redis.ts";

let stores: AnswerStores;
let link: RedisLink;
let redis: Redis;
beforeAll(async () => {
  stores = await openAnswerStores();
  ({ link, redis } = stores);
});
afterAll(() => stores.close());

/** What the handler of the test route does; it counts its runs. */
let runs = 0;
let work: Work = newText;
beforeEach(() => {
  runs = 0;
  work = newText;
});
const createProcess = (options?: ProcessOptions) =>
  createKeyedProcess(
    stores,
    (value) => {
      runs += 1;
      return work(value);
    },
    options,
  );

describe("a request with an Idempotency-Key", () => {
  test("is refused while the first one runs, here and in another process, and answered afterwards", async () => {
    const [here, there] = [createProcess(), createProcess()];
    const key = randomUUID();
    let finish = () => {};
    work = (value) => new Promise((resolve) => (finish = () => resolve({ status: 201, text: value })));
    const first = here(key, "a");
    await until("the first one runs", () => runs === 1);
    for (const post of [here, there])
      for (const value of ["a", "b"])
        expect(await post(key, value)).toMatchObject({
          status: 409,
          code: "REQUEST_IN_FLIGHT",
          retryAfter: expect.stringMatching(/^(?:[1-9]|10)$/) as string,
        });
    finish();
    expect((await first).status).toBe(201);
    expect(await there(key, "a")).toMatchObject({ status: 201, replayed: "true" });
    expect(runs).toBe(1);
  });

  test("is refused in flight by its own process also without Redis", async () => {
    const post = createProcess({ redis: NO_REDIS });
    const key = randomUUID();
    let refused = 0;
    work = async (value) => {
      await until("the others are refused", () => refused === 9);
      return { status: 201, text: value };
    };
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const answer = await post(key, "a");
        if (answer.status === 409) refused += 1;
        return answer;
      }),
    );
    expect([201, 409].map((wanted) => answers.filter(({ status }) => status === wanted).length)).toEqual([1, 9]);
  });

  test("does not wait for ever for a process that died: its lease ends by itself", async () => {
    const key = randomUUID();
    await createAnswerCache(link).begin(keyOf(key));
    const leftMs = await redis.pttl(answerLeaseKey(keyOf(key)));
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(10_000);
    const refused = await createProcess()(key, "a");
    expect(refused.status).toBe(409);
    await redis.pexpire(answerLeaseKey(keyOf(key)), 1);
    await sleep(20);
    expect((await createProcess()(key, "a")).status).toBe(201);
  });

  test("keeps its lease for as long as it runs, and says until when it lasts", async () => {
    const [held, key] = [randomUUID(), randomUUID()];
    const leftMs = (of: string) => redis.pttl(answerLeaseKey(keyOf(of)));
    // A lease that nobody renews.
    await createAnswerCache(link).begin(keyOf(held));
    await redis.pexpire(answerLeaseKey(keyOf(held)), 60_000);
    const { status, retryAfter } = await createProcess()(held, "a");
    expect(status).toBe(409);
    expect(Number(retryAfter)).toBeLessThanOrEqual(60);
    expect(Number(retryAfter)).toBeGreaterThanOrEqual(Math.ceil((await leftMs(held)) / 1_000));

    const ended = deferred();
    work = async (value) => {
      await ended.promise;
      return { status: 201, text: value };
    };
    const first = createProcess()(key, "a");
    await until("it runs", () => runs === 1);
    await redis.pexpire(answerLeaseKey(keyOf(key)), 7_000);
    await until("its lease lasts longer than before", async () => (await leftMs(key)) > 7_500);
    ended.resolve();
    expect((await first).status).toBe(201);
  });

  test("never renews the lease of another request", async () => {
    const key = randomUUID();
    const cache = createAnswerCache(link);
    await cache.begin(keyOf(key));
    await redis.pexpire(answerLeaseKey(keyOf(key)), 1_000);
    await cache.renew(keyOf(key), "another's");
    expect(await redis.pttl(answerLeaseKey(keyOf(key)))).toBeLessThanOrEqual(1_000);
  });

  test("never ends the lease of another request", async () => {
    const key = randomUUID();
    const cache = createAnswerCache(link);
    const begun = await cache.begin(keyOf(key));
    await redis.set(answerLeaseKey(keyOf(key)), "another's");
    await cache.end(keyOf(key), begun.state === "free" ? begun.lease : undefined, undefined);
    expect(await redis.get(answerLeaseKey(keyOf(key)))).toBe("another's");
  });
});
