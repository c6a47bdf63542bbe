/** Which epoch of the cache a command is for, and on which Redis. */
export interface CacheEpoch {
  readonly epoch: number;
  readonly reign: string;
}

/** `ended` when that Redis is not, or no longer, the one of the epoch; `unknown` when the command may or may not have been done. */
export type MarkOutcome = "done" | "ended" | "unknown";

/** What the cache has of a user: the text that was filled in; else whether the caller may fill it in. */
export type CachedText = { readonly text: string } | { readonly text: undefined; readonly mayFill: boolean };

/** The balances in Redis, by user. Every command is refused by a Redis that is not the epoch's. Never throws. */
export interface BalanceMarks {
  isUp(): boolean;
  /** Takes what is cached of these users away, and forbids to fill it in until the mark is settled, for a minute at most. Safe to retry. */
  mark(epoch: CacheEpoch, mark: string, userIds: readonly string[]): Promise<MarkOutcome>;
  /** Takes the mark away. Where it is gone already, what is cached goes too. Safe to retry. */
  settle(epoch: CacheEpoch, mark: string, userIds: readonly string[]): Promise<MarkOutcome>;
  /** What is cached of each user. With `mayFill` the caller alone may fill in what it reads from now on, under `token`. */
  read(epoch: CacheEpoch, token: string, userIds: readonly string[]): Promise<readonly CachedText[] | "ended" | "unknown">;
  /** Fills in what was read after `token` was given; does nothing where a writer came meanwhile. */
  fillIn(epoch: CacheEpoch, token: string, texts: readonly { readonly userId: string; readonly text: string }[]): Promise<MarkOutcome>;
  /** Prepares this Redis for an epoch, and says its reign; undefined when it cannot be had. Safe to retry. */
  raise(epoch: number): Promise<string | undefined>;
}
