import { DomainError } from "../../base/errors.ts";
import type { Db } from "../../store/postgres/database.ts";
import { deleteService, restoreServiceInUse } from "../../store/services.ts";
import type { CheckServices } from "./known-services.ts";

/** How long a deletion waits for reservations and orders that are being made of the service. */
const UNUSED_DEADLINE_MS = 15_000;

/**
 * Deletes a service, waits until what this process was making of it is made, and takes the deletion back when it turns out to be used.
 * Throws: SERVICE_NOT_FOUND, SERVICE_IN_USE, UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function removeService(db: Db, checkServices: CheckServices, serviceId: string): Promise<void> {
  const deletion = await deleteService(db, serviceId).finally(() => checkServices.forget(serviceId));
  // Whoever found the service before it was deleted may be holding money for it at this moment.
  await checkServices.untilUnused(serviceId, UNUSED_DEADLINE_MS);
  if (await restoreServiceInUse(db, serviceId, deletion)) throw new DomainError("SERVICE_IN_USE");
}
