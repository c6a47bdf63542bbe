import { randomUUID } from "node:crypto";
import type { KeptAnswer } from "../../store/idempotency-answers.ts";
import type { RedisLink } from "./redis.ts";

/** How a request with an Idempotency-Key stands, as far as Redis knows. */
export type Begun =
  /** The request was answered before. */
  | { readonly state: "answered"; readonly answer: KeptAnswer }
  /** Another request with this key runs, here or in another process. */
  | { readonly state: "running"; /** When its lease ends, unless it is renewed. */ readonly leaseMs: number }
  /** The request may run. `end` gives `lease` back; without Redis there is none. */
  | { readonly state: "free"; readonly lease: string | undefined };

/** The fast path to kept answers, and a lease per running request. Best effort: nothing that must be right hangs on it. Never throws. */
export interface AnswerCache {
  begin(key: string): Promise<Begun>;
  /** How long a lease lasts unless it is renewed. */
  readonly leaseMs: number;
  /** Lets the lease of a request that still runs last on. */
  renew(key: string, lease: string): Promise<void>;
  /** Gives the lease back and keeps the answer, when there is one, for a day. */
  end(key: string, lease: string | undefined, answer: KeptAnswer | undefined): Promise<void>;
}

const LIFETIME_SECONDS = 86_400;
/** Renewed while the request runs, so that the lease of a process that died ends soon. */
const LEASE_MS = 10_000;

const BEGIN = `
local answer = redis.call('GET', KEYS[1])
if answer then return {'answered', answer} end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return {'free', ''} end
return {'running', redis.call('PTTL', KEYS[2])}`;

const RENEW = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1`;

// Deletes only the request's own lease: after that ran out, another request may hold one under the key.
const END = `
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1`;

/** The key of an answer in Redis: `idempotency:{caller}:{route}:{key}`. `key` is the request's permanent key. */
export function answerCacheKey(key: string): string {
  return `idempotency:${key.replace(/^http:/, "")}`;
}

/** The key of a running request's lease. */
export function answerLeaseKey(key: string): string {
  return `idempotency-lease:${key.replace(/^http:/, "")}`;
}

/** Keeps answers over the process's Redis connection. */
export function createAnswerCache(link: RedisLink): AnswerCache {
  return {
    leaseMs: LEASE_MS,
    async begin(key) {
      const lease = randomUUID();
      const answer = await link.attempt((redis) => redis.eval(BEGIN, 2, answerCacheKey(key), answerLeaseKey(key), lease, LEASE_MS));
      const [state, text] = Array.isArray(answer) ? answer.map(String) : [];
      if (state === "running") return { state, leaseMs: Math.max(0, Number(text)) };
      const known = state === "answered" && text !== undefined ? readAnswer(text) : undefined;
      return known === undefined ? { state: "free", lease: state === "free" ? lease : undefined } : { state: "answered", answer: known };
    },
    async renew(key, lease) {
      await link.attempt((redis) => redis.eval(RENEW, 1, answerLeaseKey(key), lease, LEASE_MS));
    },
    async end(key, lease, answer) {
      if (lease === undefined && answer === undefined) return;
      const text = answer === undefined ? "" : JSON.stringify(answer);
      await link.attempt((redis) => redis.eval(END, 2, answerCacheKey(key), answerLeaseKey(key), lease ?? "", text, LIFETIME_SECONDS));
    },
  };
}

function readAnswer(text: string): KeptAnswer | undefined {
  try {
    return JSON.parse(text) as KeptAnswer;
  } catch {
    return undefined;
  }
}
