import { and, eq, sql } from "drizzle-orm";
import { pauses } from "../../../drizzle/schema/operators.ts";
import type { Db } from "../postgres/database.ts";

export const PAUSE_SCOPES = ["all", "service", "user"] as const;
export type PauseScope = (typeof PAUSE_SCOPES)[number];

/** What must wait: everything, what one service earns, or what one user pays. `subject` is empty for `all`. */
export interface PauseTarget {
  readonly scope: PauseScope;
  readonly subject: string;
}

export interface PauseRecord extends PauseTarget {
  readonly reason: string;
  readonly pausedBy: string;
  readonly pausedAt: Date;
}

/** Whom a capture or charge concerns. */
export interface Concerned {
  readonly serviceIds: readonly string[];
  readonly userId: string;
}

/** All pauses that are in force, oldest first. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function listPauses(db: Db): Promise<PauseRecord[]> {
  const rows = await db.select().from(pauses).orderBy(pauses.pausedAt);
  return rows.map(toPause);
}

/** The pause that concerns these services or this user, or undefined. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function pausedFor(db: Db, concerned: Concerned): Promise<PauseRecord | undefined> {
  return findPause(await listPauses(db), concerned);
}

function toPause(row: typeof pauses.$inferSelect): PauseRecord {
  return { ...row, scope: row.scope as PauseScope };
}

/** The first of the pauses that concerns these services or this user. */
export function findPause(list: readonly PauseRecord[], { serviceIds, userId }: Concerned): PauseRecord | undefined {
  return list.find(
    ({ scope, subject }) =>
      scope === "all" || (scope === "user" && subject === userId) || (scope === "service" && serviceIds.includes(subject)),
  );
}

/** Begins a pause and returns it; a pause that is in force already stays as it was first set. Safe to retry. */
export async function beginPause(
  db: Db,
  pause: PauseTarget & { readonly reason: string; readonly pausedBy: string },
): Promise<PauseRecord> {
  const [row] = await db
    .insert(pauses)
    .values(pause)
    // Changes nothing: `returning` gives an existing row only when it is updated.
    .onConflictDoUpdate({ target: [pauses.scope, pauses.subject], set: { reason: sql`${pauses.reason}` } })
    .returning();
  if (row === undefined) throw new Error("an upsert answers with its row");
  return toPause(row);
}

/** Ends a pause; returns whether it was in force. Safe to retry. */
export async function endPause(db: Db, { scope, subject }: PauseTarget): Promise<boolean> {
  const ended = await db
    .delete(pauses)
    .where(and(eq(pauses.scope, scope), eq(pauses.subject, subject)))
    .returning();
  return ended.length > 0;
}

/** How long a list of pauses is remembered: a pause takes effect within this time everywhere. */
export const PAUSE_MEMORY_MS = 200;

/**
 * A `pausedFor` that reads the list at most every 200 ms, so that an order costs no read of its own.
 * Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export function createPauseCheck(db: Db, now: () => number = Date.now): (concerned: Concerned) => Promise<PauseRecord | undefined> {
  let readAtMs = Number.NEGATIVE_INFINITY;
  let list: Promise<PauseRecord[]> = Promise.resolve([]);
  return async (concerned) => {
    if (now() - readAtMs >= PAUSE_MEMORY_MS) {
      readAtMs = now();
      list = listPauses(db);
      list.catch(() => {
        readAtMs = Number.NEGATIVE_INFINITY;
      });
    }
    return findPause(await list, concerned);
  };
}
