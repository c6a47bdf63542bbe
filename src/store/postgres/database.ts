import { drizzle, type PgRemoteDatabase } from "drizzle-orm/pg-proxy";
import { createLane, type Lane, type Planning } from "./lane.ts";

/** Typed reads and single-statement writes, each on a guarded lane. It has no transactions: what must be atomic is one statement. */
export type Db = Omit<PgRemoteDatabase, "transaction"> & {
  /**
   * A statement whose text is written already, for reads that come so often that building and planning them would cost more than they do.
   * Rows as arrays of driver values: times and numbers of 64 bits as text. Throws: UNAVAILABLE, DEADLINE_EXCEEDED, or the server's error.
   */
  readonly values: (text: string, parameters: readonly unknown[], planning: Planning) => Promise<unknown[][]>;
};

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
  return databaseOn(() => lane);
}

function databaseOn(laneNow: () => Lane): Db {
  const db = drizzle(async (text, parameters, method) => ({
    rows: method === "execute" ? await laneNow().rows(text, parameters) : await laneNow().values(text, parameters),
  }));
  const values: Db["values"] = (text, parameters, planning) => laneNow().values(text, parameters, undefined, planning);
  return Object.assign(db, { values });
}

/**
 * Opens `laneCount` lanes and a drizzle over them. A statement goes to the lane with the least work.
 * Statements through it throw UNAVAILABLE or DEADLINE_EXCEEDED when Postgres is not there or slower than `deadlineMs`.
 */
export function createDatabase(options: { url: string; name: string; laneCount: number; deadlineMs: number }): Database {
  const lanes = Array.from({ length: options.laneCount }, () => createLane(options));
  const leastLoaded = (): Lane => lanes.reduce((best, lane) => (lane.load() < best.load() ? lane : best));
  return {
    db: databaseOn(leastLoaded),
    load: () => lanes.reduce((sum, lane) => sum + lane.load(), 0),
    openLane: (name, deadlineMs = options.deadlineMs) => createLane({ ...options, name, deadlineMs }),
    async close() {
      await Promise.all(lanes.map((lane) => lane.close()));
    },
  };
}
