import { EARLIEST_MS } from "../../contract/moments.ts";

/**
 * When a Kafka message was sent, in milliseconds since 1970. Without a usable time stamp (-1, or a clock that was never set) it is taken as
 * sent when it was fetched, so that what it tells cannot lie in any future.
 */
export function sentAtMs(timestamp: string, fetchedAtMs: number): number {
  const ms = Number(timestamp);
  return ms >= EARLIEST_MS ? ms : fetchedAtMs;
}
