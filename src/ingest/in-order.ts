/**
 * Does the work for each item: those that share a key, directly or by way of others, one after the other in their order, the rest side
 * by side, at most `atOnce` of them. Results stand in the order of the items. `keysOf` names at least one key.
 * Throws what the work throws first, when all under way have ended.
 */
export async function eachInOrder<Item, Result>(
  items: readonly Item[],
  options: { readonly keysOf: (item: Item) => readonly string[]; readonly atOnce: number },
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = placesByKey(items, options.keysOf);
  let failed = false;
  const worker = async () => {
    for (let group = waiting.shift(); group !== undefined && !failed; group = waiting.shift())
      for (const place of group) {
        if (failed) return;
        try {
          results[place] = await work(items[place] as Item);
        } catch (error) {
          failed = true;
          throw error;
        }
      }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: Math.min(options.atOnce, waiting.length) }, worker));
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  return results;
}

/** The places of items that share a key, in order; a group stands where the first of its keys was met. */
function placesByKey<Item>(items: readonly Item[], keysOf: (item: Item) => readonly string[]): number[][] {
  const groupOf = new Map<string, { readonly places: number[]; readonly keys: Set<string> }>();
  for (const [place, item] of items.entries()) {
    const keys = keysOf(item);
    const [group = { places: [], keys: new Set<string>() }, ...joined] = new Set(
      keys.map((key) => groupOf.get(key)).filter((known) => known !== undefined),
    );
    group.places.push(...joined.flatMap(({ places }) => places), place);
    for (const key of [...keys, ...joined.flatMap((other) => Array.from(other.keys))]) {
      group.keys.add(key);
      groupOf.set(key, group);
    }
  }
  return [...new Set(groupOf.values())].map(({ places }) => places.sort((left, right) => left - right));
}
