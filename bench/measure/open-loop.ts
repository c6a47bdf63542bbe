import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "./median.ts";

/** What became of one arrival: `accepted` and `refused` (503) are the server's answers, `lost` is none at all. */
export type Fate = "accepted" | "refused" | "lost";

/** What a level of load gave. Latencies are of what was accepted, in milliseconds, from the moment of the planned arrival. */
export interface LoadLevel {
  readonly offeredPerSecond: number;
  readonly acceptedPerSecond: number;
  readonly refusedPerSecond: number;
  readonly accepted: number;
  readonly refused: number;
  readonly lost: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** The plan of arrivals is kept in steps of this length, so that hundreds of arrivals a second need no timer each. */
const STEP_MS = 5;

/**
 * Sends `perSecond` arrivals a second for `durationMs`, whatever becomes of those before them, and waits for all answers. An arrival counts
 * from its planned moment: a client that is late makes the latency longer, never shorter.
 */
export async function openLoop(options: { perSecond: number; durationMs: number; arrive: () => Promise<Fate> }): Promise<LoadLevel> {
  const { perSecond, durationMs, arrive } = options;
  const total = Math.max(1, Math.round((perSecond * durationMs) / 1_000));
  const startedAtMs = performance.now();
  const answers: Promise<{ fate: Fate; tookMs: number }>[] = [];
  while (answers.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAtMs) * perSecond) / 1_000) + 1);
    while (answers.length < due) {
      const plannedAtMs = startedAtMs + (answers.length * 1_000) / perSecond;
      answers.push(
        arrive().then(
          (fate) => ({ fate, tookMs: performance.now() - plannedAtMs }),
          () => ({ fate: "lost" as const, tookMs: performance.now() - plannedAtMs }),
        ),
      );
    }
    if (answers.length < total) await sleep(STEP_MS);
  }
  return levelOf(await Promise.all(answers), perSecond, durationMs);
}

/** Adds up what became of the arrivals of a level. */
export function levelOf(
  answers: readonly { readonly fate: Fate; readonly tookMs: number }[],
  offeredPerSecond: number,
  durationMs: number,
): LoadLevel {
  const count = (wanted: Fate) => answers.filter(({ fate }) => fate === wanted).length;
  const times = answers.filter(({ fate }) => fate === "accepted").map(({ tookMs }) => tookMs);
  const seconds = durationMs / 1_000;
  return {
    offeredPerSecond,
    acceptedPerSecond: count("accepted") / seconds,
    refusedPerSecond: count("refused") / seconds,
    accepted: count("accepted"),
    refused: count("refused"),
    lost: count("lost"),
    p50Ms: quantile(times, 0.5),
    p99Ms: quantile(times, 0.99),
  };
}
