/** Nothing that Saldo is told of happened before 1990, and no message was sent before: an older date is a clock that was never set. */
export const EARLIEST_MS = Date.UTC(1990, 0, 1);

/** How far ahead of Saldo's clock, or of its message's, a date may lie: a later one is a clock that runs ahead. */
export const CLOCK_SKEW_MS = 24 * 3_600_000;
