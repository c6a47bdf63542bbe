import { createBatcher } from "../../base/batching.ts";
import type { BalanceMarks, CacheEpoch, CachedText, MarkOutcome } from "../../store/balance-cache/balance-marks.ts";
import { DROP_BALANCE, FILL_BALANCES, MARK_BALANCES, RAISE_EPOCH, READ_BALANCES, SETTLE_BALANCES } from "./balance-scripts.ts";
import type { RedisLink } from "./redis.ts";

/** The balances that Redis keeps for readers, and what the self-audit needs of them. */
export interface BalanceCache extends BalanceMarks {
  /**
   * Some `limit` cached texts of the epoch, as they come; the next call goes on behind them, so that each is seen in its turn. Empty when
   * they cannot be had.
   */
  sample(epoch: CacheEpoch, limit: number): Promise<readonly { readonly userId: string; readonly text: string }[]>;
  /** Takes the user's text away if it is still this one; true when it was. */
  drop(epoch: CacheEpoch, userId: string, text: string): Promise<boolean>;
}

export interface BalanceCacheOptions {
  /** How long a mark stands whose writer died: longer than any statement goes on. */
  readonly markMs: number;
}

/** Holds the epoch that this Redis was prepared for. A flush takes it, and with it the epoch. */
const EPOCH_KEY = "saldo:balances";
const TEXT_MS = 600_000;
/** How long a reader may take from its token to its fill. */
const TOKEN_MS = 5_000;
const MAX_BATCH = 200;
/** Marks of the same moment share a round trip; those that come while one is under way take the next. */
const PARALLEL = 4;
const SCAN_COUNT = 500;

interface Marking {
  readonly epoch: CacheEpoch;
  readonly mark: string;
  readonly userIds: readonly string[];
}

/** Where the balances of a user stand in an epoch. */
export function balanceCacheKey({ epoch }: Pick<CacheEpoch, "epoch">, userId: string): string {
  return `balance:${epoch}:${userId}`;
}

/** Keeps balances over the process's Redis connection. */
export function createBalanceCache(link: RedisLink, { markMs }: BalanceCacheOptions): BalanceCache {
  const run = (script: string, epoch: CacheEpoch, userIds: readonly string[], values: readonly (string | number)[]) =>
    link.attempt((redis) =>
      redis.eval(
        script,
        userIds.length + 1,
        EPOCH_KEY,
        ...userIds.map((userId) => balanceCacheKey(epoch, userId)),
        epoch.epoch,
        epoch.reign,
        ...values,
      ),
    );
  const marking = (script: string) =>
    createBatcher<Marking, MarkOutcome>({
      maxBatch: MAX_BATCH,
      parallel: PARALLEL,
      run: async (markings) => {
        const outcomes = new Map<string, Promise<MarkOutcome>>();
        for (const { epoch } of markings)
          if (!outcomes.has(nameOf(epoch))) {
            const ofEpoch = markings.filter((one) => nameOf(one.epoch) === nameOf(epoch));
            const users = ofEpoch.flatMap(({ userIds }) => userIds);
            const marks = ofEpoch.flatMap(({ mark, userIds }) => userIds.map(() => `mark:${mark}`));
            outcomes.set(nameOf(epoch), run(script, epoch, users, [markMs, ...marks]).then(outcomeOf));
          }
        return Promise.all(markings.map(async ({ epoch }) => (await outcomes.get(nameOf(epoch))) ?? "unknown"));
      },
    });
  const [mark, settle] = [marking(MARK_BALANCES), marking(SETTLE_BALANCES)];
  let sampledTo = "0";
  return {
    isUp: link.isUp,
    mark: (epoch, name, userIds) => mark({ epoch, mark: name, userIds }),
    settle: (epoch, name, userIds) => settle({ epoch, mark: name, userIds }),
    async read(epoch, token, userIds) {
      const found = await run(READ_BALANCES, epoch, userIds, [token, TOKEN_MS]);
      if (found === null) return "ended";
      return Array.isArray(found) ? found.map(toCachedText) : "unknown";
    },
    async fillIn(epoch, token, texts) {
      const userIds = texts.map(({ userId }) => userId);
      return outcomeOf(await run(FILL_BALANCES, epoch, userIds, [token, TEXT_MS, ...texts.map(({ text }) => text)]));
    },
    async raise(epoch) {
      const reign = await link.attempt((redis) => redis.eval(RAISE_EPOCH, 1, EPOCH_KEY, epoch));
      return typeof reign === "string" ? reign : undefined;
    },
    async sample(epoch, limit) {
      const prefix = balanceCacheKey(epoch, "");
      const userIds: string[] = [];
      do {
        const page = await link.attempt((redis) => redis.scan(sampledTo, "MATCH", `${prefix}*`, "COUNT", SCAN_COUNT));
        userIds.push(...(page?.[1] ?? []).map((key) => key.slice(prefix.length)));
        sampledTo = page?.[0] ?? "0";
      } while (sampledTo !== "0" && userIds.length < limit);
      const texts = await Promise.all(
        userIds.map(async (userId) => {
          const text = await link.attempt((redis) => redis.hget(balanceCacheKey(epoch, userId), "text"));
          return typeof text === "string" ? [{ userId, text }] : [];
        }),
      );
      return texts.flat();
    },
    async drop(epoch, userId, text) {
      return (await run(DROP_BALANCE, epoch, [userId], [text])) === 1;
    },
  };
}

function nameOf({ epoch, reign }: CacheEpoch): string {
  return `${epoch} ${reign}`;
}

function outcomeOf(answer: unknown): MarkOutcome {
  return answer === 1 ? "done" : answer === null ? "ended" : "unknown";
}

function toCachedText(found: unknown): CachedText {
  return typeof found === "string" ? { text: found } : { text: undefined, mayFill: found === 1 };
}
