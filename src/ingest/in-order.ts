/**
 * Does the work for each item: the items of one key one after the other, in their order, and different keys side by side, at most
 * `atOnce` of them. Results have the order of the items. Throws: what the work throws first, after all work under way has ended.
 */
export async function eachInOrder<Item, Result>(
  items: readonly Item[],
  options: { readonly keyOf: (item: Item) => string; readonly atOnce: number },
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const places = new Map<string, number[]>();
  for (const [place, item] of items.entries()) {
    const key = options.keyOf(item);
    const known = places.get(key);
    if (known === undefined) places.set(key, [place]);
    else known.push(place);
  }
  const results: Result[] = [];
  const waiting = [...places.values()];
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
