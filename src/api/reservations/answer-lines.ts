import { ERROR_CATALOGUE } from "../../base/errors.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { OrderLines } from "../../store/reservations/hold-lines.ts";
import type { ActedLines } from "../../use-cases/reservations/act-on-lines.ts";
import { allLinesOf } from "../../use-cases/reservations/pick-lines.ts";
import type { ApiContext } from "../api-env.ts";
import { asDomainError, RefusedInPart } from "../http/error-handler.ts";
import { markReplayed } from "../http/idempotency.ts";
import { showReservationLines, type LineOutcome } from "./show-reservation-lines.ts";

/**
 * The reservations of the order as they stand after an act on all of them.
 * Throws: the code of a line that did not go through, with the outcome of every line; first a code after which the same request is to be
 * sent again, as a repeat goes on with such a line. UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function answerLines(context: ApiContext, db: Db, order: OrderLines, { outcomes, replayed }: ActedLines) {
  const failures = new Map([...outcomes].flatMap(([id, outcome]) => (outcome.done ? [] : [[id, asDomainError(outcome.failure)] as const])));
  const shownOutcomes = new Map<string, LineOutcome>([...outcomes.keys()].map((id) => [id, failures.get(id)?.code ?? "done"]));
  const shown = await showReservationLines(db, order, await allLinesOf(db, order), shownOutcomes);
  const [failure] = [...failures.values()].toSorted((one, other) => rankOf(one.code) - rankOf(other.code));
  if (failure === undefined) {
    if (replayed) markReplayed(context);
    return context.json(shown, 200);
  }
  const done = outcomes.size - failures.size;
  throw new RefusedInPart(failure, `${done} of ${outcomes.size} lines went through; \`order\` tells the outcome of each`, shown);
}

const RANKS = { "contact an operator": 0, retry: 1, "change the request": 2 } as const;

function rankOf(code: keyof typeof ERROR_CATALOGUE): number {
  return RANKS[ERROR_CATALOGUE[code].remedy];
}
