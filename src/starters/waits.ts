import { dropOldest } from "../base/drop-oldest.ts";

/** The most ids whose news is waited for. Those beyond it, the oldest first, learn of it by their workflow alone. */
const MAX_WAITING = 10_000;

/** A wait for something that is committed in this process. */
export interface Wait<News> {
  /** Settles when it is committed in this process; never when another process commits it. */
  readonly news: Promise<News>;
  /** Ends the wait. Safe to call more than once. */
  drop(): void;
}

/** Tells requests of this process at once what the workers of this process have committed. */
export interface Waits<News> {
  /** Begins to wait. To be called before the workflow is started, or its news may be missed. */
  expect(id: string): Wait<News>;
  /** To be called once it is committed, and not before: an answer that says so can never become wrong. */
  tell(id: string, news: News): void;
  /** How many ids are waited for. */
  size(): number;
}

/** Creates the waits of one process, empty. */
export function createWaits<News>(maxWaiting = MAX_WAITING): Waits<News> {
  const waiting = new Map<string, { readonly news: Promise<News>; readonly resolve: (news: News) => void; waits: number }>();
  return {
    expect(id) {
      let resolve: (news: News) => void = () => undefined;
      const own = waiting.get(id) ?? {
        news: new Promise<News>((settle) => {
          resolve = settle;
        }),
        resolve: (news: News) => resolve(news),
        waits: 0,
      };
      own.waits += 1;
      waiting.set(id, own);
      dropOldest(waiting, maxWaiting);
      let isDropped = false;
      const drop = () => {
        if (isDropped) return;
        isDropped = true;
        own.waits -= 1;
        if (own.waits === 0 && waiting.get(id) === own) waiting.delete(id);
      };
      return { news: own.news, drop };
    },
    tell(id, news) {
      waiting.get(id)?.resolve(news);
      waiting.delete(id);
    },
    size: () => waiting.size,
  };
}
