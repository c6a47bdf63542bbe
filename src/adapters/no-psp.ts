import { DomainError } from "../errors.ts";
import type { Psp } from "./psp.ts";

/** Where no payment provider is configured: whoever asks is told to come again, and no money moves. */
export function createNoPsp(): Psp {
  const away = () => Promise.reject(new DomainError("PSP_UNAVAILABLE", "no payment provider is configured"));
  return { tokenise: away, authorise: away, capture: away, cancel: away, refund: away, lookUp: away };
}
