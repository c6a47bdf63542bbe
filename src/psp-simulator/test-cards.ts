import type { Behaviour, Step } from "./scripts.ts";

/** A card number with a script: the provider shows `behaviour` at `steps`, at the first `timesPerKey` requests of each key. */
export interface TestCard {
  /** The name that the vault keeps in place of the number. */
  readonly name: string;
  readonly number: string;
  readonly behaviour: Behaviour;
  readonly steps: readonly Step[];
  readonly timesPerKey?: number;
}

/** The test cards; every other valid number is approved. The table of docs/payments.md lists them, and a test compares the two. */
export const TEST_CARDS: readonly TestCard[] = [
  { name: "declined", number: "4000000000000002", behaviour: "decline", steps: ["authorise"] },
  { name: "insufficient-funds", number: "4000000000009995", behaviour: "insufficient-funds", steps: ["authorise"] },
  { name: "capture-declined", number: "4000000000000101", behaviour: "decline", steps: ["capture"] },
  { name: "refund-declined", number: "4000000000000200", behaviour: "decline", steps: ["refund"] },
  { name: "slow", number: "4000000000000309", behaviour: "slow", steps: ["authorise", "capture", "cancel", "refund"] },
  { name: "authorise-then-hang", number: "4000000000000408", behaviour: "charge-then-hang", steps: ["authorise"], timesPerKey: 1 },
  { name: "charge-then-hang", number: "4000000000000507", behaviour: "charge-then-hang", steps: ["capture"], timesPerKey: 1 },
  { name: "charge-then-500", number: "4000000000000606", behaviour: "charge-then-500", steps: ["capture"], timesPerKey: 1 },
  {
    name: "unavailable-once",
    number: "4000000000000705",
    behaviour: "5xx",
    steps: ["authorise", "capture", "cancel", "refund"],
    timesPerKey: 1,
  },
  { name: "unavailable", number: "4000000000000804", behaviour: "5xx", steps: ["authorise"] },
  { name: "rate-limited", number: "4000000000000903", behaviour: "429", steps: ["authorise", "capture"], timesPerKey: 1 },
  { name: "stored-500-charged", number: "4000000000001000", behaviour: "stored-500-charged", steps: ["capture"] },
  { name: "stored-500-uncharged", number: "4000000000001109", behaviour: "stored-500-uncharged", steps: ["capture"] },
  { name: "refund-stored-500", number: "4000000000001208", behaviour: "stored-500-uncharged", steps: ["refund"] },
  { name: "refund-unavailable-twice", number: "4000000000001307", behaviour: "5xx", steps: ["cancel", "refund"], timesPerKey: 2 },
];
