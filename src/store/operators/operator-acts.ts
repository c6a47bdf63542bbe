import { acts } from "../../../drizzle/schema/operators.ts";
import type { Db } from "../postgres/database.ts";

/** An act by hand, done or refused. No field may hold a secret: the table is kept for ever. */
export interface Act {
  /** The subject of the token that acted, or the login that was tried. */
  readonly actor: string;
  /** What was done, such as `order.settled` or `login.failed`. */
  readonly act: string;
  /** The thing it was done to: `order`, `user`, `route` and the like, and its id. */
  readonly subjectType: string;
  readonly subjectId: string;
  /** Why, in the actor's words, or the code of the refusal. */
  readonly reason: string;
  readonly details?: Readonly<Record<string, string>>;
  readonly correlationId: string;
}

/** Appends an act; it is never changed or removed. Not safe to retry: each call is an act of its own. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export async function recordAct(db: Db, { details = {}, ...act }: Act): Promise<void> {
  await db.insert(acts).values({ ...act, details: { ...details } });
}
