/** How long an order may keep money aside before the audit calls it forgotten. An order takes milliseconds; this leaves room for an outage. */
export const ORDER_HOLD_TTL_MS = 900_000;
/** How long an order waits for the payment provider where its input does not say. */
export const ORDER_PAYMENT_DEADLINE_MS = 600_000;
/** How many times a compensation is tried at short intervals before it is parked, where the input does not say: some 30 s. */
export const COMPENSATION_FAST_RETRIES = 9;
/** How long a parked compensation rests before it is tried again by itself; each rest is twice the one before, up to COMPENSATION_SLOWEST_MS. */
export const COMPENSATION_SLOW_MS = 180_000;
export const COMPENSATION_SLOWEST_MS = 1_800_000;
/** After so many rests, some three weeks, a step that nobody minds rests for a day: its workflow would otherwise outgrow the server's 51,200 events within months. */
export const RESTS_BEFORE_DAILY = 1_000;
export const COMPENSATION_DAILY_MS = 86_400_000;

/** The rest of a stuck step after a rest of `restMs` milliseconds; `rests` is how many there were. */
export function nextRestMs(restMs: number, rests: number): number {
  return rests >= RESTS_BEFORE_DAILY ? COMPENSATION_DAILY_MS : Math.min(restMs * 2, COMPENSATION_SLOWEST_MS);
}
