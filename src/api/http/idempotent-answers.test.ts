import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import fc from "fast-check";
import { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { deferred } from "../../../test/support/deferred.ts";
import { createTestDatabase, type TestDatabase } from "../../../test/support/test-database.ts";
import { until } from "../../../test/support/until.ts";
import { SILENT_LOG } from "../../adapters/log.ts";
import { answerCacheKey, answerLeaseKey, createAnswerCache } from "../../adapters/redis/answer-cache.ts";
import { openRedis, type RedisLink } from "../../adapters/redis/redis.ts";
import { DomainError } from "../../base/errors.ts";
import { requestKey } from "../../contract/ids.ts";
import { createAnswerBook, type AnswerBook } from "../../store/idempotency-answers.ts";
import { createDatabase, type Database } from "../../store/postgres/database.ts";
import type { Api, ApiEnv } from "../api-env.ts";
import { createErrorHandler } from "./error-handler.ts";
import { keepNoAnswer } from "./idempotency.ts";
import { createIdempotentAnswers, type RequestMemory } from "./idempotent-answers.ts";
import { createRoutes } from "./routes.ts";

const NO_REDIS = openRedis({ url: undefined, logger: SILENT_LOG });
let postgres: TestDatabase;
let database: Database;
let link: RedisLink;
let redis: Redis;

beforeAll(async () => {
  postgres = await createTestDatabase();
  database = createDatabase({ url: postgres.appUrl, name: "test-answers", laneCount: 4, deadlineMs: 10_000 });
  redis = new Redis(inject("redisUrl"));
  link = openRedis({ url: inject("redisUrl"), logger: SILENT_LOG });
  await until("Redis answers", async () => (await link.attempt((client) => client.ping())) === "PONG");
});

afterAll(async () => {
  link.close();
  redis.disconnect();
  await database.close();
  await postgres.drop();
});

/** What the handler of the test route does; it counts its runs. */
let runs = 0;
let work: (value: string) => Promise<{ status: 200 | 201 | 202; text: string }> = async (value) => ({ status: 201, text: value });
beforeEach(() => {
  runs = 0;
  work = async (value) => ({ status: 201, text: `${value} ${randomUUID()}` });
});

/** One process with one route, `POST /things`. */
function createProcess(
  options: { redis?: RedisLink; book?: AnswerBook; memory?: RequestMemory; keepAccepted?: boolean; required?: boolean } = {},
) {
  const api: Api = new OpenAPIHono<ApiEnv>();
  const firstAnswers = createIdempotentAnswers({
    book: options.book ?? createAnswerBook(database.db),
    cache: createAnswerCache(options.redis ?? link),
    log: SILENT_LOG,
  });
  api.use(async (context, next) => {
    context.set("caller", context.req.header("x-caller") ?? "ann");
    await next();
  });
  const content = { "application/json": { schema: z.object({ text: z.string() }) } };
  const answer = { description: "", content };
  const routes = createRoutes(api, { guard: async () => {}, firstAnswers, maxBodyBytes: 10_000 });
  routes.add(
    createRoute({
      method: "post",
      path: "/things",
      request: {
        body: {
          required: true,
          content: { "application/json": { schema: z.strictObject({ value: z.string(), trial: z.boolean().optional() }) } },
        },
      },
      responses: { 200: answer, 201: answer, 202: answer },
    }),
    {
      access: "public",
      idempotency: {
        route: "things",
        required: options.required ?? true,
        memory: options.memory ?? "row",
        ...(options.keepAccepted === undefined ? {} : { keepAccepted: options.keepAccepted }),
      },
    },
    async (context) => {
      runs += 1;
      const { value, trial } = context.req.valid("json");
      if (trial === true) keepNoAnswer(context);
      const { status, text } = await work(value);
      context.header("location", `/things/${text}`);
      return context.json({ text }, status);
    },
  );
  api.onError(createErrorHandler(SILENT_LOG));
  return async (key: string | undefined, value: string, more: { caller?: string; trial?: boolean } = {}) => {
    const response = await api.request("/things", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(key === undefined ? {} : { "idempotency-key": key }),
        ...(more.caller === undefined ? {} : { "x-caller": more.caller }),
      },
      body: JSON.stringify({ value, ...(more.trial === undefined ? {} : { trial: more.trial }) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      text,
      code: (JSON.parse(text) as { code?: string }).code,
      location: response.headers.get("location"),
      replayed: response.headers.get("idempotency-replayed"),
      retryAfter: response.headers.get("retry-after"),
    };
  };
}

const keyOf = (idempotencyKey: string, caller = "ann") => requestKey({ caller, route: "things", idempotencyKey });

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

describe("the model of idempotency", () => {
  // Two processes with one Redis that loses everything now and then. Each key's first value is what it stands for.
  test("answers 400, 409, 422 or the first answer, as an oracle says, and does everything once", async () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant("post" as const), process: fc.nat(1), key: fc.nat(2), value: fc.constantFrom("a", "b") }),
      fc.record({ kind: fc.constant("two" as const), process: fc.nat(1), key: fc.nat(2), value: fc.constantFrom("a", "b") }),
      fc.record({ kind: fc.constant("flush" as const) }),
      fc.record({ kind: fc.constant("crash" as const), key: fc.nat(2) }),
      fc.record({ kind: fc.constant("none" as const), process: fc.nat(1) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 15 }), async (actions) => {
        const processes = [createProcess({ memory: "answer" }), createProcess({ memory: "answer" })] as const;
        const post = (process: number, key: string | undefined, value: string) => (processes[process] ?? processes[0])(key, value);
        const prefix = randomUUID();
        const known = new Map<number, { value: string; text: string }>();
        const leased = new Set<number>();
        const effects = new Map<string, number>();
        work = async (value) => {
          effects.set(value, (effects.get(value) ?? 0) + 1);
          return { status: 201, text: `${value} ${randomUUID()}` };
        };
        for (const step of actions) {
          if (step.kind === "none") expect(await post(step.process, undefined, "a")).toMatchObject({ code: "IDEMPOTENCY_KEY_REQUIRED" });
          else if (step.kind === "flush") {
            for (const key of [0, 1, 2])
              await redis.del(answerCacheKey(keyOf(`${prefix}-${key}`)), answerLeaseKey(keyOf(`${prefix}-${key}`)));
            leased.clear();
          } else if (step.kind === "crash") {
            // A process took the key and died before it did anything; its lease stays.
            if (!known.has(step.key)) {
              await createAnswerCache(link).begin(keyOf(`${prefix}-${step.key}`));
              leased.add(step.key);
            }
          } else {
            const before = known.get(step.key);
            const answers = await Promise.all(
              Array.from({ length: step.kind === "two" ? 2 : 1 }, () => post(step.process, `${prefix}-${step.key}`, step.value)),
            );
            if (leased.has(step.key)) expect(answers.map(({ code }) => code)).toEqual(answers.map(() => "REQUEST_IN_FLIGHT"));
            else if (before === undefined) {
              const ends = answers.map(({ status, code }) => `${status} ${code ?? "done"}`).toSorted();
              expect(ends).toEqual(["201 done", "409 REQUEST_IN_FLIGHT"].slice(0, answers.length));
              known.set(step.key, { value: step.value, text: answers.find(({ status }) => status === 201)?.text ?? "" });
            } else
              for (const answer of answers.filter(({ status }) => status !== 409))
                if (before.value === step.value) expect(answer).toMatchObject({ status: 201, text: before.text, replayed: "true" });
                else expect(answer).toMatchObject({ status: 422, code: "IDEMPOTENCY_CONFLICT" });
          }
        }
        expect([...effects.values()].reduce((sum, count) => sum + count, 0)).toBe(known.size);
      }),
      { numRuns: 60 },
    );
  });
});
