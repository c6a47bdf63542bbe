import { eq, sql } from "drizzle-orm";
import { holdMoves } from "../../../drizzle/schema/reservations.ts";
import { HOLD_STATUSES, type HoldStatus } from "../../contract/reservations.ts";
import type { Db } from "../postgres/database.ts";

export type HoldMoveKind = "extension" | "pause" | "test-clock";

export interface HoldMove {
  /** Permanent: the same key with the same content moves the end once. */
  readonly key: string;
  readonly holdId: string;
  readonly kind: HoldMoveKind;
  /** What was asked for, as short text: other content under the same key is a conflict. */
  readonly content: string;
  readonly newEnd: Date;
  readonly caller: string;
  readonly correlationId: string;
}

/** The content of an extension. */
export function extensionContent(ttlMs: number): string {
  return `ttl ${ttlMs}`;
}

/** What became of a move: done now, done before under its key, its key belongs to another move, there is no such hold, or how the hold was closed. */
export type HoldMoveOutcome = "done" | "duplicate" | "conflict" | "missing" | Exclude<HoldStatus, "held">;

const OUTCOMES: ReadonlySet<string> = new Set([
  "done",
  "duplicate",
  "conflict",
  "missing",
  ...HOLD_STATUSES.filter((status) => status !== "held"),
]);

/**
 * Moves the end of an open reservation's hold, guarded by its state. An extension and a pause never bring the end nearer.
 * Safe to retry: the key decides. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function moveHoldEnd(db: Db, move: HoldMove): Promise<HoldMoveOutcome> {
  const [row] = await db.execute<{ outcome: string }>(sql`
    select hold_move_end(${move.key}, ${move.holdId}, ${move.kind}, ${move.content}, ${move.newEnd.toISOString()}::timestamptz, ${move.caller}, ${move.correlationId}) as outcome`);
  if (row === undefined || !OUTCOMES.has(row.outcome)) throw new Error("hold_move_end answered with an unknown outcome");
  return row.outcome as HoldMoveOutcome;
}

/** The content of the move that was made under the key and its hold; undefined when none was. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function findHoldMove(db: Db, key: string): Promise<{ readonly holdId: string; readonly content: string } | undefined> {
  const [row] = await db.select({ holdId: holdMoves.holdId, content: holdMoves.contentHash }).from(holdMoves).where(eq(holdMoves.key, key));
  return row;
}

/**
 * Puts `reservation.expiring` into the outbox, once per end of an open reservation; returns whether it was put there now.
 * Safe to retry: the hold's row keeps the end that was announced. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function tellHoldExpiring(db: Db, input: { readonly holdId: string; readonly correlationId: string }): Promise<boolean> {
  const [row] = await db.execute<{ told: boolean }>(sql`select hold_tell_expiring(${input.holdId}, ${input.correlationId}) as told`);
  return row?.told === true;
}
