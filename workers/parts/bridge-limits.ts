/** The bounds of a bridge that are not configured. */
export const BRIDGE_LIMITS = {
  /** The events of one workflow's input, as JSON. Temporal takes inputs up to 256 KB; the rest is for the envelope. */
  maxEventBytes: 240_000,
  partitionsAtOnce: 4,
  /** How long a batch in hand may go on after an order to stop; the supervisor waits 15 s. */
  graceMs: 8_000,
  backoff: { firstMs: 250, maxMs: 5_000 },
} as const;
