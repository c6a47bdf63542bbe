import type { ApiSettings } from "../deps.ts";
import { InvalidRequest } from "../http/error-handler.ts";

/** A reservation's time as a body gives it, in one of two units or not at all. */
export interface AskedLifetime {
  readonly ttlMs?: number | undefined;
  readonly ttlSeconds?: number | undefined;
}

/** The time in ms; the default where none is given. Throws: INVALID_REQUEST with the place when it is beyond the bounds. */
export function readTtlMs(body: AskedLifetime, bounds: ApiSettings["reservationTtl"]): number {
  const ttlMs = body.ttlMs ?? (body.ttlSeconds === undefined ? bounds.defaultMs : body.ttlSeconds * 1_000);
  if (ttlMs >= bounds.minMs && ttlMs <= bounds.maxMs) return ttlMs;
  throw refuseTtl(body, `must be a time from ${bounds.minMs} ms to ${bounds.maxMs} ms`);
}

/** The refusal of a body's time, which names the member that was given. */
export function refuseTtl({ ttlMs }: AskedLifetime, message: string): InvalidRequest {
  return new InvalidRequest([{ pointer: ttlMs === undefined ? "/ttlSeconds" : "/ttlMs", message }]);
}
