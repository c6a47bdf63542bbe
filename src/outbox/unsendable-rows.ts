import type { Log } from "../adapters/log.ts";
import { messageOf } from "../base/errors.ts";

/** Outbox rows that cannot be sent as they are. They stay in the outbox for an operator, and hold up no other row. */
export interface UnsendableRows {
  /** Sets a row aside for a while, and logs why. */
  setAside(row: { readonly id: string }, topic: string, error: unknown): void;
  /** The ids of the rows that are set aside at this moment. */
  ids(): string[];
}

/** How long a row stays set aside before it is tried again. */
const SET_ASIDE_MS = 600_000;

/** No row is set aside at first. */
export function createUnsendableRows(deps: { readonly nowMs: () => number; readonly log: Log }): UnsendableRows {
  const untilMsById = new Map<string, number>();
  return {
    setAside(row, topic, error) {
      untilMsById.set(row.id, deps.nowMs() + SET_ASIDE_MS);
      deps.log.error({ topic, outboxId: row.id, err: messageOf(error) }, "this outbox row cannot be sent as it is");
    },
    ids() {
      for (const [id, untilMs] of untilMsById) if (untilMs <= deps.nowMs()) untilMsById.delete(id);
      return [...untilMsById.keys()];
    },
  };
}
