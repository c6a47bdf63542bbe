import { DomainError } from "../errors.ts";
import type { Db } from "../store/database.ts";
import { getServices } from "../store/services.ts";

const REMEMBER_MS = 10_000;
const MAX_REMEMBERED = 10_000;

/** Tells whether services exist. Throws: UNKNOWN_SERVICE with the place of the first that does not; UNAVAILABLE, DEADLINE_EXCEEDED. */
export type CheckServices = (wanted: readonly { readonly serviceId: string; readonly pointer: string }[]) => Promise<void>;

/**
 * A check that remembers for ten seconds which services it found, so that most orders need no read of their own.
 * What it did not find it asks for again each time.
 */
export function createServiceCheck(db: Db, now: () => number = Date.now): CheckServices {
  const foundAtMs = new Map<string, number>();
  return async (wanted) => {
    const freshSinceMs = now() - REMEMBER_MS;
    const unknown = wanted.filter(({ serviceId }) => (foundAtMs.get(serviceId) ?? 0) < freshSinceMs);
    if (unknown.length === 0) return;
    const found = new Set((await getServices(db, [...new Set(unknown.map(({ serviceId }) => serviceId))])).map(({ id }) => id));
    if (foundAtMs.size > MAX_REMEMBERED) foundAtMs.clear();
    for (const id of found) foundAtMs.set(id, now());
    const missing = unknown.find(({ serviceId }) => !found.has(serviceId));
    if (missing !== undefined)
      throw new DomainError("UNKNOWN_SERVICE", `the service ${JSON.stringify(missing.serviceId)} is not known`, {
        pointer: missing.pointer,
      });
  };
}
