/** What bounds a bridge besides its configuration. */
export const BRIDGE_LIMITS = {
  /** A workflow's input counts against 256 KB; the rest is the envelope. */
  maxEventBytes: 240_000,
  partitionsAtOnce: 4,
  /** How long a batch in hand may go on at the order to stop; the supervisor waits 15 s. */
  graceMs: 8_000,
  backoff: { firstMs: 250, maxMs: 5_000 },
} as const;
