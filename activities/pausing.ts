import { ApplicationFailure } from "@temporalio/common";
import { DomainError } from "../src/base/errors.ts";
import type { OrderSagaInput } from "../src/contract/orders.ts";
import { pausedFor, type Concerned, type PauseRecord } from "../src/store/operators/pauses.ts";
import type { ActivityDeps } from "./activity-deps.ts";

/** The wait between two attempts of `untilUnpaused`. */
const PAUSE_POLL = "1 second";

/** The questions that workflows ask about pauses. Each is safe to retry: it only reads. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export function createPauseActivities({ db }: Pick<ActivityDeps, "db">) {
  return {
    /** The reason of the pause that concerns these services or this user; null when there is none. */
    async pausedFor(concerned: Concerned): Promise<string | null> {
      return (await pausedFor(db, concerned))?.reason ?? null;
    },

    /** Succeeds when no pause concerns these services or this user; until then each attempt fails and is retried. Throws: PAUSED. */
    async untilUnpaused(concerned: Concerned): Promise<void> {
      const pause = await pausedFor(db, concerned);
      if (pause === undefined) return;
      throw ApplicationFailure.create({ type: "PAUSED", message: `paused: ${pause.reason}`, nextRetryDelay: PAUSE_POLL });
    },
  };
}

/** Throws: PAUSED when there is a pause. */
export function refuseWhilePaused(pause: PauseRecord | undefined): void {
  if (pause !== undefined) throw new DomainError("PAUSED", `paused: ${pause.reason}`);
}

/** The services and the user whose pauses stop an order's payment. */
export function concernedBy({ lines, userId }: OrderSagaInput): Concerned {
  return { serviceIds: lines.map(({ serviceId }) => serviceId), userId };
}
