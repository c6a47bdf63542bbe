import { randomUUID } from "node:crypto";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
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
import { answerCacheKey, answerLeaseKey } from "../../adapters/redis/answer-cache.ts";
import { DomainError } from "../../base/errors.ts";
import type { AnswerBook } from "../../store/idempotency-answers.ts";

let stores: AnswerStores;
let redis: Redis;
beforeAll(async () => {
  stores = await openAnswerStores();
  ({ redis } = stores);
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
  test("is answered again exactly as first, by the fast path, and marked", async () => {
    const post = createProcess();
    const key = randomUUID();
    const first = await post(key, "a");
    const again = await post(key, "a");
    expect(first).toMatchObject({ status: 201, replayed: null });
    expect(again).toEqual({ ...first, replayed: "true" });
    expect(runs).toBe(1);
    const ttlSeconds = await redis.ttl(`idempotency:ann:things:${key}`);
    expect(ttlSeconds).toBeGreaterThan(86_390);
    expect(ttlSeconds).toBeLessThanOrEqual(86_400);
    expect(await redis.exists(answerLeaseKey(keyOf(key)))).toBe(0);
  });

  test("is answered as first from Postgres when Redis has lost it, and Redis knows it again", async () => {
    const post = createProcess();
    const key = randomUUID();
    const first = await post(key, "a");
    await redis.del(answerCacheKey(keyOf(key)));
    expect(await post(key, "a")).toEqual({ ...first, replayed: "true" });
    expect(await redis.exists(answerCacheKey(keyOf(key)))).toBe(1);
  });

  test("is answered as first by another process and without any Redis", async () => {
    const key = randomUUID();
    const first = await createProcess()(key, "a");
    expect(await createProcess({ redis: NO_REDIS })(key, "a")).toEqual({ ...first, replayed: "true" });
  });

  test("with other content goes to the handler, which knows what its key stands for", async () => {
    const post = createProcess();
    const key = randomUUID();
    await post(key, "a");
    work = () => Promise.reject(new DomainError("IDEMPOTENCY_CONFLICT"));
    expect(await post(key, "b")).toMatchObject({ status: 422, code: "IDEMPOTENCY_CONFLICT" });
    expect(await post(key, "a")).toMatchObject({ status: 201, replayed: "true" });
  });

  test("with other content is refused where the answer is the only memory, with Redis or without", async () => {
    const key = randomUUID();
    const first = await createProcess({ memory: "answer" })(key, "a");
    expect(await createProcess({ memory: "answer" })(key, "b")).toMatchObject({ status: 422, code: "IDEMPOTENCY_CONFLICT" });
    const without = createProcess({ memory: "answer", redis: NO_REDIS });
    expect(await without(key, "b")).toMatchObject({ status: 422, code: "IDEMPOTENCY_CONFLICT" });
    expect(await without(key, "a")).toEqual({ ...first, replayed: "true" });
    expect(runs).toBe(1);
  });

  test("that failed may be sent again", async () => {
    const post = createProcess();
    const key = randomUUID();
    work = () => Promise.reject(new DomainError("UNAVAILABLE"));
    expect((await post(key, "a")).status).toBe(503);
    work = async (value) => ({ status: 201, text: value });
    expect(await post(key, "a")).toMatchObject({ status: 201, replayed: null });
  });

  test("whose outcome was not known may learn it, unless 202 is all there is to say", async () => {
    const [open, final] = [createProcess(), createProcess({ keepAccepted: true })];
    const [one, two] = [randomUUID(), randomUUID()];
    work = async (value) => ({ status: 202, text: value });
    await open(one, "a");
    const accepted = await final(two, "a");
    work = async (value) => ({ status: 201, text: `${value} done` });
    expect(await open(one, "a")).toMatchObject({ status: 201 });
    expect(await final(two, "a")).toEqual({ ...accepted, replayed: "true" });
  });

  test("that only tries leaves nothing behind", async () => {
    const post = createProcess();
    const key = randomUUID();
    await post(key, "a", { trial: true });
    const real = await post(key, "a");
    expect(real).toMatchObject({ status: 201, replayed: null });
    expect(await post(key, "a")).toEqual({ ...real, replayed: "true" });
  });

  test("is answered when its answer cannot be kept", async () => {
    const book: AnswerBook = { find: async () => undefined, keep: () => Promise.reject(new DomainError("UNAVAILABLE")) };
    expect(await createProcess({ book })(randomUUID(), "a")).toMatchObject({ status: 201 });
  });

  test("of another caller with the same key is another request, whatever colons the names have", async () => {
    const post = createProcess();
    const key = randomUUID();
    await post(key, "a");
    await post(key, "a", { caller: "bob" });
    await post(`things:${key}`, "a");
    await post(key, "a", { caller: "ann:things" });
    expect(runs).toBe(4);
  });

  test.each([
    [undefined, "IDEMPOTENCY_KEY_REQUIRED"],
    ["", "INVALID_IDEMPOTENCY_KEY"],
    ["x".repeat(256), "INVALID_IDEMPOTENCY_KEY"],
    ["a b", "INVALID_IDEMPOTENCY_KEY"],
    ["é", "INVALID_IDEMPOTENCY_KEY"],
  ])("the key %j is answered %s", async (key, code) => {
    expect(await createProcess()(key, "a")).toMatchObject({ status: 400, code });
    expect(runs).toBe(0);
  });

  test("may do without a key where none is asked for; then every request is its own", async () => {
    const post = createProcess({ required: false, memory: "answer" });
    await post(undefined, "a");
    await post(undefined, "a");
    expect(runs).toBe(2);
  });
});
