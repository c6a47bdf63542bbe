import { randomUUID } from "node:crypto";
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { Redis } from "ioredis";
import { inject } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createAnswerCache } from "../../src/adapters/redis/answer-cache.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import type { Api, ApiEnv } from "../../src/api/api-env.ts";
import { createErrorHandler } from "../../src/api/http/error-handler.ts";
import { keepNoAnswer } from "../../src/api/http/idempotency.ts";
import { createIdempotentAnswers, type RequestMemory } from "../../src/api/http/idempotent-answers.ts";
import { createRoutes } from "../../src/api/http/routes.ts";
import { requestKey } from "../../src/contract/ids.ts";
import { createAnswerBook, type AnswerBook } from "../../src/store/idempotency-answers.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { createTestDatabase } from "./test-database.ts";
import { until } from "./until.ts";

export const NO_REDIS = openRedis({ url: undefined, logger: SILENT_LOG });

/** Where the answers of keyed requests are kept: a database of its own, and the Redis of the run. */
export interface AnswerStores {
  readonly database: Database;
  readonly link: RedisLink;
  /** For a look past the link at what it keeps. */
  readonly redis: Redis;
  close(): Promise<void>;
}

/** Opens the stores and waits until Redis answers. */
export async function openAnswerStores(): Promise<AnswerStores> {
  const postgres = await createTestDatabase();
  const database = createDatabase({ url: postgres.appUrl, name: "test-answers", laneCount: 4, deadlineMs: 10_000 });
  const redis = new Redis(inject("redisUrl"));
  const link = openRedis({ url: inject("redisUrl"), logger: SILENT_LOG });
  await until("Redis answers", async () => (await link.attempt((client) => client.ping())) === "PONG");
  return {
    database,
    link,
    redis,
    async close() {
      link.close();
      redis.disconnect();
      await database.close();
      await postgres.drop();
    },
  };
}

/** What the handler of the route does with the value of its request. */
export type Work = (value: string) => Promise<{ status: 200 | 201 | 202; text: string }>;

/** Answers with another text at each run, so that a second run is told from the first answer. */
export const newText: Work = async (value) => ({ status: 201, text: `${value} ${randomUUID()}` });

export interface ProcessOptions {
  readonly redis?: RedisLink;
  readonly book?: AnswerBook;
  readonly memory?: RequestMemory;
  readonly keepAccepted?: boolean;
  readonly required?: boolean;
}

/** One process with one route, `POST /things`, over the stores. The returned function sends a request to it. */
export function createKeyedProcess(stores: AnswerStores, work: Work, options: ProcessOptions = {}) {
  const api: Api = new OpenAPIHono<ApiEnv>();
  const firstAnswers = createIdempotentAnswers({
    book: options.book ?? createAnswerBook(stores.database.db),
    cache: createAnswerCache(options.redis ?? stores.link),
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

/** The key of a request to the route, as the stores know it. */
export function keyOf(idempotencyKey: string, caller = "ann"): string {
  return requestKey({ caller, route: "things", idempotencyKey });
}
