/** How receivers share what Saldo can send. The numbers go into the statements of `store/webhooks`. */
export const RECEIVER_RESTS = {
  /**
   * So many deliveries of one webhook may be on their way to their first attempt, and one more for each attempt in a row that was taken;
   * the others wait in Postgres, where they cost nobody anything.
   */
  slots: 5,
  maxMoreSlots: 15,
  /** After so many failed attempts in a row a receiver counts as failing: one delivery at a time, with rests between. */
  failuresInRow: 10,
  /** The first rest, doubled with each further failure up to the longest. */
  firstRestSeconds: 5,
  maxRestSeconds: 60,
  /** A delivery whose workflow was lost before its first attempt holds its slot for so long and no longer. */
  slotLifetimeSeconds: 120,
} as const;
