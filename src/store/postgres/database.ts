import { drizzle, type PgRemoteDatabase } from "drizzle-orm/pg-proxy";
import { createLane, type Lane } from "./lane.ts";

/** Typed reads and single-statement writes, each on a guarded lane. It has no transactions: what must be atomic is one statement. */
export type Db = Omit<PgRemoteDatabase, "transaction">;

export interface Database {
  readonly db: Db;
  /** How many statements wait or run. */
  readonly load: () => number;
  /** Opens a lane of its own for long statements and streams, each bounded by `deadlineMs`, else by the database's deadline. The caller closes it. */
  readonly openLane: (name: string, deadlineMs?: number) => Lane;
  close(): Promise<void>;
}

/** A drizzle over one lane, for reads that take longer than others may. */
export function databaseOver(lane: Lane): Db {
  return drizzle(async (text, parameters, method) => ({
    rows: method === "execute" ? await lane.rows(text, parameters) : await lane.values(text, parameters),
  }));
}

/**
 * Opens `laneCount` lanes and a drizzle over them. A statement goes to the lane with the least work.
 * Statements through it throw UNAVAILABLE or DEADLINE_EXCEEDED when Postgres is not there or slower than `deadlineMs`.
 */
export function createDatabase(options: { url: string; name: string; laneCount: number; deadlineMs: number }): Database {
  const lanes = Array.from({ length: options.laneCount }, () => createLane(options));
  const leastLoaded = (): Lane => lanes.reduce((best, lane) => (lane.load() < best.load() ? lane : best));
  const db = drizzle(async (text, parameters, method) => {
    const lane = leastLoaded();
    return { rows: method === "execute" ? await lane.rows(text, parameters) : await lane.values(text, parameters) };
  });
  return {
    db,
    load: () => lanes.reduce((sum, lane) => sum + lane.load(), 0),
    openLane: (name, deadlineMs = options.deadlineMs) => createLane({ ...options, name, deadlineMs }),
    async close() {
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}
