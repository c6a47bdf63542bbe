import { DomainError } from "../errors.ts";
import type { Db } from "../store/database.ts";
import { getServices } from "../store/services.ts";

const REMEMBER_MS = 10_000;
const MAX_REMEMBERED = 10_000;

export interface CheckServices {
  /** Tells whether services exist. Throws: UNKNOWN_SERVICE with the place of the first that does not; UNAVAILABLE, DEADLINE_EXCEEDED. */
  (wanted: readonly { readonly serviceId: string; readonly pointer: string }[]): Promise<void>;
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

  const forget = (serviceId: string) => {
    forgotten += 1;
    foundAtMs.delete(serviceId);
  };

  return Object.assign(check, { forget });
}
