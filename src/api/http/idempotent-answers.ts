import type { Log } from "../../adapters/log.ts";
import type { AnswerCache } from "../../adapters/redis/answer-cache.ts";
import { withinOrThrow } from "../../base/deadline.ts";
import { DomainError, messageOf } from "../../base/errors.ts";
import type { AnswerBook, KeptAnswer } from "../../store/idempotency-answers.ts";
import type { ApiContext } from "../api-env.ts";
import { markReplayed } from "./idempotency.ts";

/** What remembers a request besides its answer. */
export type RequestMemory =
  /** The operation's row in the ledger. No answer is kept besides: requests with equal keys that come at once share one posting. */
  | "operation"
  /** Rows that the handler finds by the key, by which it tells a repeat from other content. The first answer is kept besides. */
  | "row"
  /** Nothing but the kept answer: its hash alone tells a repeat from other content, which is refused. */
  | "answer";

/** A request with an Idempotency-Key. */
export interface KeyedRequest {
  readonly key: string;
  /** The hash of what the request means. */
  readonly hash: string;
  /** The hash that an earlier release made of this request, whose kept answers it finds as well. */
  readonly earlierHash?: string;
  readonly memory: RequestMemory;
  /** True when 202 is the final answer. Otherwise an answer of 202 is not kept, as a repeat may find the outcome. */
  readonly keepAccepted: boolean;
}

/** Gives every request with an Idempotency-Key the answer that the first one got. */
export interface IdempotentAnswers {
  /**
   * Gives the first answer under the key when there is one, else the answer of `run`. A final success is kept before it is sent.
   * Refusals are not kept: the permanent ones stand in the ledger.
   * Throws: REQUEST_IN_FLIGHT while another request with the key runs; IDEMPOTENCY_CONFLICT; what `run` throws.
   */
  once(context: ApiContext, request: KeyedRequest, run: () => Promise<Response>): Promise<Response>;
}

/** The effect is done by then and its key is permanent, so an answer that could not be kept in this time is sent without being kept. */
const KEEP_DEADLINE_MS = 2_000;
/** How many times a lease is renewed within its duration. */
const RENEWALS = 3;
const KEPT_HEADERS = ["content-type", "location"];

/** First answers over their book in Postgres, the truth, and their cache in Redis, the fast path. */
export function createIdempotentAnswers(deps: {
  readonly book: AnswerBook;
  readonly cache: AnswerCache;
  readonly log: Log;
}): IdempotentAnswers {
  const { book, cache, log } = deps;
  const running = new Set<string>();

  const keep = async (key: string, answer: KeptAnswer): Promise<KeptAnswer | undefined> => {
    try {
      return await withinOrThrow(book.keep(key, answer), KEEP_DEADLINE_MS);
    } catch (error) {
      log.warn({ event: "answer.not-kept", reason: messageOf(error) }, "an answer was sent without being kept; its effect has its key");
      return undefined;
    }
  };

  return {
    async once(context, request, run) {
      const { key, hash, memory } = request;
      if (running.has(key)) throw new DomainError("REQUEST_IN_FLIGHT");
      running.add(key);
      let lease: string | undefined;
      let renewing: NodeJS.Timeout | undefined;
      let cached: KeptAnswer | undefined;
      try {
        const begun = await cache.begin(key);
        // The request that holds the lease may have died with its process; then the key is free when the lease ends.
        if (begun.state === "running")
          throw new DomainError("REQUEST_IN_FLIGHT", undefined, {
            retryAfterSeconds: String(Math.max(1, Math.ceil(begun.leaseMs / 1_000))),
          });
        if (begun.state === "free") lease = begun.lease;
        if (lease !== undefined) renewing = setInterval((own: string) => void cache.renew(key, own), cache.leaseMs / RENEWALS, lease);
        let known = begun.state === "answered" ? begun.answer : undefined;
        if (known === undefined && memory === "answer") known = cached = await book.find(key);
        if (known !== undefined && [hash, request.earlierHash].includes(known.requestHash)) return replay(context, known);
        if (known !== undefined && memory === "answer") throw new DomainError("IDEMPOTENCY_CONFLICT");

        const response = await run();
        if (!isFinal(response, request.keepAccepted) || context.get("answerNotKept") === true) return response;
        const own = await read(response, hash);
        const kept = await keep(key, own);
        // A kept answer of another hash is that of a request which the handler took for this one in other words: this request's own
        // answer is as good.
        const first = kept === undefined || kept.requestHash !== hash ? own : kept;
        if (kept !== undefined) cached = kept;
        return isSame(first, own) ? context.body(own.body, own.status as 200, own.headers) : replay(context, first);
      } finally {
        running.delete(key);
        clearInterval(renewing);
        await cache.end(key, lease, cached);
      }
    },
  };
}

function replay(context: ApiContext, answer: KeptAnswer): Response {
  markReplayed(context);
  return context.body(answer.body, answer.status as 200, { ...answer.headers });
}

function isFinal({ status }: Response, keepAccepted: boolean): boolean {
  return status >= 200 && status < 300 && (status !== 202 || keepAccepted);
}

async function read(response: Response, requestHash: string): Promise<KeptAnswer> {
  const headers = KEPT_HEADERS.flatMap((name) => {
    const value = response.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  return { requestHash, status: response.status, headers: Object.fromEntries(headers), body: await response.text() };
}

function isSame(one: KeptAnswer, other: KeptAnswer): boolean {
  return one.status === other.status && one.body === other.body;
}
