import type { Log } from "../../adapters/log.ts";
import type { AnswerCache } from "../../adapters/redis/answer-cache.ts";
import { withinOrThrow } from "../../base/deadline.ts";
import { DomainError, messageOf } from "../../base/errors.ts";
import type { AnswerBook, KeptAnswer } from "../../store/idempotency-answers.ts";
import type { ApiContext } from "../api-env.ts";
import { markReplayed } from "./idempotency.ts";

/** What remembers a request besides its answer. */
export type RequestMemory =
  /** The operation in the ledger: it is the answer that is kept, and equal keys that come together share it. */
  | "operation"
  /** Rows that the handler finds by the key: it tells a repeat from other content itself. The first answer is kept besides. */
  | "row"
  /** Nothing else: other content under the key is refused by the answer's hash. */
  | "answer";

/** A request with an Idempotency-Key. */
export interface KeyedRequest {
  readonly key: string;
  /** Of what was asked, after validation. */
  readonly hash: string;
  readonly memory: RequestMemory;
  /** True when 202 says all there is to say; else it is an answer that a repeat may improve on. */
  readonly keepAccepted: boolean;
}

/** Answers a request with an Idempotency-Key as it was answered first. */
export interface IdempotentAnswers {
  /**
   * The first answer when there is one, else what `run` answers; a final success is kept before it is given. Refusals are not kept
   * here: the ledger remembers those that are for ever.
   * Throws: REQUEST_IN_FLIGHT while another request with the key runs; IDEMPOTENCY_CONFLICT; what `run` throws.
   */
  once(context: ApiContext, request: KeyedRequest, run: () => Promise<Response>): Promise<Response>;
}

/** The effect is done and its key permanent, so an answer that cannot be kept in this time is sent all the same. */
const KEEP_DEADLINE_MS = 2_000;
/** How often a lease is renewed in its time. */
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
        // It may have died with its process: then it is over when its lease is.
        if (begun.state === "running")
          throw new DomainError("REQUEST_IN_FLIGHT", undefined, {
            retryAfterSeconds: String(Math.max(1, Math.ceil(begun.leaseMs / 1_000))),
          });
        if (begun.state === "free") lease = begun.lease;
        if (lease !== undefined) renewing = setInterval((own: string) => void cache.renew(key, own), cache.leaseMs / RENEWALS, lease);
        let known = begun.state === "answered" ? begun.answer : undefined;
        if (known === undefined && memory === "answer") known = cached = await book.find(key);
        if (known?.requestHash === hash) return replay(context, known);
        if (known !== undefined && memory === "answer") throw new DomainError("IDEMPOTENCY_CONFLICT");

        const response = await run();
        if (!isFinal(response, request.keepAccepted) || context.get("answerNotKept") === true) return response;
        const own = await read(response, hash);
        const kept = await keep(key, own);
        // Of another hash is what the handler took for the same thing in other words: then its own answer is as good.
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
