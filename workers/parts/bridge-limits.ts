import type { Config } from "../../src/config.ts";
import type { ChunkLimits } from "../../src/ingest/chunks.ts";

/** The bounds of a bridge that are not configured. */
export const BRIDGE_LIMITS = {
  /** The events of one workflow's input, as JSON. Temporal takes inputs up to 256 KB; the rest is for the envelope. */
  maxEventBytes: 240_000,
  partitionsAtOnce: 4,
  /** How long a batch in hand may go on after an order to stop; the supervisor waits 15 s. */
  graceMs: 8_000,
  backoff: { firstMs: 250, maxMs: 5_000 },
} as const;

/** The bounds of a batch. The size of its events matters only where they travel in the workflow's input. */
export function bridgeLimits(config: Pick<Config, "EVENT_BATCH_SIZE" | "BRIDGE_HOSTS_WORKER">): ChunkLimits {
  return {
    maxMessages: config.EVENT_BATCH_SIZE,
    ...(config.BRIDGE_HOSTS_WORKER ? {} : { maxBytes: BRIDGE_LIMITS.maxEventBytes }),
  };
}
