import { randomUUID } from "node:crypto";
import fc from "fast-check";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createKeyedProcess,
  keyOf,
  newText,
  openAnswerStores,
  type AnswerStores,
  type ProcessOptions,
  type Work,
} from "../../../test/support/keyed-route.ts";
import { answerCacheKey, answerLeaseKey, createAnswerCache } from "../../adapters/redis/answer-cache.ts";
import type { RedisLink } from "../../adapters/redis/redis.ts";

let stores: AnswerStores;
let link: RedisLink;
let redis: Redis;
beforeAll(async () => {
  stores = await openAnswerStores();
  ({ link, redis } = stores);
});
afterAll(() => stores.close());

let work: Work = newText;
const createProcess = (options: ProcessOptions) => createKeyedProcess(stores, (value) => work(value), options);

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
