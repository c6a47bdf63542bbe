import { recordAct, type Act } from "../../store/operators/operator-acts.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { ApiContext } from "../api-env.ts";
import { actorOf } from "./request-origin.ts";

/**
 * Appends an act of the request's caller to the operators' book. Handlers do this before the act takes effect, so that none is missing.
 * Not safe to retry: each call is an act of its own. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export function noteAct(db: Db, context: ApiContext, act: Omit<Act, "actor" | "correlationId">): Promise<void> {
  return recordAct(db, { ...act, ...actorOf(context) });
}
