import type { KnownGate } from "../../domain/balances/cache-gate.ts";
import type { CacheEpoch } from "./balance-marks.ts";
import { balancesToText, NO_BALANCES } from "./balance-text.ts";
import type { CachedBalancesOptions } from "./cached-balances.ts";

/** A user whose cached balances were not those of the books, and were dropped. Both as `balancesToText` writes them. */
export interface WrongCachedBalance {
  readonly userId: string;
  readonly cached: string;
  readonly books: string;
}

/** How many users were compared, and what was wrong. */
export interface CacheComparison {
  readonly checked: number;
  readonly wrong: readonly WrongCachedBalance[];
}

interface CacheContent {
  sample(epoch: CacheEpoch, limit: number): Promise<readonly { readonly userId: string; readonly text: string }[]>;
  /** Takes the text away if it is still this one; true when it was. */
  drop(epoch: CacheEpoch, userId: string, text: string): Promise<boolean>;
}

/**
 * Compares the cached balances of up to `limit` users with the books, and drops those that differ. A text that a writer or its time took
 * away since it was read is no finding: only what is still there after the books were read could have been answered to anyone.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function compareCache(
  {
    gate,
    content,
    readBooks,
  }: { readonly gate: { ask(): Promise<KnownGate> }; readonly content: CacheContent } & Pick<CachedBalancesOptions, "readBooks">,
  limit: number,
): Promise<CacheComparison> {
  const epoch = await gate.ask();
  if (epoch.state !== "open") return { checked: 0, wrong: [] };
  const texts = await content.sample(epoch, limit);
  if (texts.length === 0) return { checked: 0, wrong: [] };
  const books = await readBooks(texts.map(({ userId }) => userId));
  const wrong: WrongCachedBalance[] = [];
  for (const { userId, text } of texts) {
    const right = balancesToText(books.get(userId) ?? NO_BALANCES);
    if (text !== right && (await content.drop(epoch, userId, text))) wrong.push({ userId, cached: text, books: right });
  }
  return { checked: texts.length, wrong };
}
