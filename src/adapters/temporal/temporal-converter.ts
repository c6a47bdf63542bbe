import type { DataConverter } from "@temporalio/common";
import type { PayloadProtection } from "../payload-codec/payload-protection.ts";

/** The option of a client or a worker by which it encrypts payloads. */
export function converterOf(protection: PayloadProtection | undefined): { dataConverter?: DataConverter } {
  return protection === undefined ? {} : { dataConverter: protection.dataConverter };
}
