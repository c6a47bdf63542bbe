import { withinOrNothing } from "../../base/deadline.ts";
import { DomainError } from "../../base/errors.ts";
import type { Db } from "../../store/postgres/database.ts";
import { getServices } from "../../store/services.ts";

const REMEMBER_MS = 10_000;
const MAX_REMEMBERED = 10_000;

export interface CheckServices {
  /** Tells whether services exist. Throws: UNKNOWN_SERVICE with the place of the first that does not; UNAVAILABLE, DEADLINE_EXCEEDED. */
  (wanted: readonly { readonly serviceId: string; readonly pointer: string }[]): Promise<void>;
  /**
   * As the check itself, and counts the services as in use until `act` has ended, so that a deletion can wait for it.
   * Throws: as the check; what `act` throws.
   */
  during<Result>(wanted: readonly { readonly serviceId: string; readonly pointer: string }[], act: () => Promise<Result>): Promise<Result>;
  /** Settles when everything that is in use of the service at this moment has ended, or after `deadlineMs`. */
  untilUnused(serviceId: string, deadlineMs: number): Promise<void>;
  /** Asks anew for a service that was deleted. Another process of the api may sell it for as long as it remembers it, ten seconds. */
  forget(serviceId: string): void;
}

/**
 * A check that remembers for ten seconds which services it found, so that most orders need no read of their own.
 * What it did not find it asks for again each time.
 */
export function createServiceCheck(db: Db, now: () => number = Date.now): CheckServices {
  const foundAtMs = new Map<string, number>();
  let forgotten = 0;

  const check = async (wanted: readonly { readonly serviceId: string; readonly pointer: string }[]) => {
    const freshSinceMs = now() - REMEMBER_MS;
    const unknown = wanted.filter(({ serviceId }) => (foundAtMs.get(serviceId) ?? 0) < freshSinceMs);
    if (unknown.length === 0) return;
    const forgottenBefore = forgotten;
    const found = new Set((await getServices(db, [...new Set(unknown.map(({ serviceId }) => serviceId))])).map(({ id }) => id));
    if (foundAtMs.size > MAX_REMEMBERED) foundAtMs.clear();
    // What was read while a service was being deleted may be older than the deletion, and is not remembered.
    if (forgotten === forgottenBefore) for (const id of found) foundAtMs.set(id, now());
    const missing = unknown.find(({ serviceId }) => !found.has(serviceId));
    if (missing !== undefined)
      throw new DomainError("UNKNOWN_SERVICE", `the service ${JSON.stringify(missing.serviceId)} is not known`, {
        pointer: missing.pointer,
      });
  };

  const uses = new Map<string, Set<Promise<unknown>>>();
  const during: CheckServices["during"] = async (wanted, act) => {
    const ids = [...new Set(wanted.map(({ serviceId }) => serviceId))];
    // Counted from before the check: a deletion after it waits, one before it is seen by it.
    const using = Promise.resolve().then(async () => {
      await check(wanted);
      return act();
    });
    for (const id of ids) uses.set(id, (uses.get(id) ?? new Set()).add(using));
    try {
      return await using;
    } finally {
      for (const id of ids) {
        uses.get(id)?.delete(using);
        if (uses.get(id)?.size === 0) uses.delete(id);
      }
    }
  };
  const untilUnused = async (serviceId: string, deadlineMs: number) => {
    await withinOrNothing(Promise.allSettled(uses.get(serviceId) ?? new Set<Promise<unknown>>()), deadlineMs);
  };

  const forget = (serviceId: string) => {
    forgotten += 1;
    foundAtMs.delete(serviceId);
  };

  return Object.assign(check, { during, untilUnused, forget });
}
