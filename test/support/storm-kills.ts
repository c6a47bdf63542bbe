import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../../src/cli/kit/seeded-random.ts";
import { edgesOf } from "./storm-books.ts";
import type { ProviderHand } from "./storm-provider.ts";
import { pidOf, type Stage } from "./storm-stage.ts";

export interface StormKill {
  readonly victim: string;
  readonly atMs: number;
  /** The orders under way at the kill, by the edge that they stood at. */
  readonly underWay: Readonly<Record<string, number>>;
}

/** Temporal notices a dead worker after 45 s: with more kills no order would ever be undone. */
const KILL_PAUSE_MS = { min: 4_000, max: 14_000 };
const MOST_KILLS = 40;
const VICTIMS = ["worker", "api", "worker", "api", "psp"] as const;

/** Kills roles of the system at seeded moments until the storm is over, and answers with what it killed when. */
export async function killAround(
  { options, dataDir, db }: Pick<Stage, "options" | "dataDir" | "db">,
  run: {
    provider: ProviderHand;
    over: AbortSignal;
    elapsedMs: () => number;
    note: (text: string) => void;
  },
): Promise<StormKill[]> {
  const random = seededRandom(options.seed + 1);
  const kills: StormKill[] = [];
  while (!run.over.aborted && kills.length < MOST_KILLS) {
    await sleep(KILL_PAUSE_MS.min + random() * (KILL_PAUSE_MS.max - KILL_PAUSE_MS.min), undefined, { signal: run.over }).catch(
      () => undefined,
    );
    const victim = VICTIMS[Math.floor(random() * VICTIMS.length)] ?? "worker";
    if (run.over.aborted) break;
    if (victim === "psp") await run.provider.count().catch(() => undefined);
    const underWay = await edgesOf(db);
    const pid = pidOf(dataDir, victim);
    if (pid === undefined) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      continue;
    }
    kills.push({ victim, atMs: run.elapsedMs(), underWay });
    run.note(`killed ${victim} at ${run.elapsedMs()} ms: ${JSON.stringify(underWay)}`);
  }
  return kills;
}
