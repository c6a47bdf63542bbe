/** The topics that could not be published to lately, and how long each rests. */
export interface TopicRests {
  /** The topics that rest at this moment. */
  resting(): string[];
  /** Lets a topic rest, for twice as long as the last time. Returns for how many milliseconds. */
  begin(topic: string): number;
  /** Ends a topic's rest: it was published to. */
  end(topic: string): void;
}

interface Rest {
  readonly untilMs: number;
  readonly pauseMs: number;
}

/** No topic rests at first. The first rest takes `firstMs`, the longest `maxMs`. */
export function createTopicRests(deps: {
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
  readonly nowMs: () => number;
}): TopicRests {
  const { backoff, nowMs } = deps;
  const rests = new Map<string, Rest>();
  return {
    resting: () => [...rests].filter(([, rest]) => rest.untilMs > nowMs()).map(([topic]) => topic),
    begin(topic) {
      const pauseMs = Math.min((rests.get(topic)?.pauseMs ?? backoff.firstMs / 2) * 2, backoff.maxMs);
      rests.set(topic, { untilMs: nowMs() + pauseMs, pauseMs });
      return pauseMs;
    },
    end: (topic) => void rests.delete(topic),
  };
}
