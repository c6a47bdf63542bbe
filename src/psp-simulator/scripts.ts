import { createHash } from "node:crypto";
import { z } from "zod";

/** What the provider is asked to do; `look-up` and `tokenise` can only be slow, hang or fail. */
export const STEPS = ["tokenise", "authorise", "capture", "cancel", "refund", "look-up"] as const;
export type Step = (typeof STEPS)[number];

const MONEY_STEPS: readonly Step[] = ["authorise", "capture", "cancel", "refund"];

/** How an answer goes wrong. */
export const BEHAVIOURS = [
  /** As it should be. */
  "approve",
  /** A definite no, written to the book: `card_declined`, `insufficient_funds`. */
  "decline",
  "insufficient-funds",
  /** Right, but only after `slowMs`. */
  "slow",
  /** Nothing is done and nothing is answered. */
  "hang",
  /** It is done and nothing is answered. */
  "charge-then-hang",
  /** It is done and answered with 500. */
  "charge-then-500",
  /** 503; nothing is done. */
  "5xx",
  /** 429 with Retry-After; nothing is done. */
  "429",
  /** 500, and the same 500 for the same key until it is reconciled; it was done, which a look-up tells. */
  "stored-500-charged",
  /** 500, and the same 500 for the same key until it is reconciled; it was not done. */
  "stored-500-uncharged",
] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

/** When which behaviour is shown. */
export const scriptSchema = z.strictObject({
  /** Of several, one is drawn each time. */
  kinds: z.array(z.enum(BEHAVIOURS)).min(1),
  /** The share of requests it is shown to, 0 to 1. */
  rate: z.number().min(0).max(1).default(1),
  /** Equal seeds draw equally for equal keys, whatever the order the requests come in. */
  seed: z.number().int().default(1),
  steps: z
    .array(z.enum(STEPS))
    .min(1)
    .default([...MONEY_STEPS]),
  /** Only for keys that begin so. */
  keyPrefix: z.string().optional(),
  /** Only for the first so many requests of each key. */
  timesPerKey: z.number().int().min(1).optional(),
});
export type Script = z.infer<typeof scriptSchema>;

/** A request as scripts see it. `attempt` counts the requests of this step and key, from 1. */
export interface Occasion {
  readonly step: Step;
  readonly key: string;
  readonly attempt: number;
}

/** The behaviour of the first script that applies and draws this request, or undefined when none does. */
export function behaviourOf(scripts: readonly Script[], occasion: Occasion): Behaviour | undefined {
  for (const [place, script] of scripts.entries()) {
    if (!script.steps.includes(occasion.step) || !occasion.key.startsWith(script.keyPrefix ?? "")) continue;
    if (script.timesPerKey !== undefined && occasion.attempt > script.timesPerKey) continue;
    const draw = createHash("sha256").update(`${script.seed}/${place}/${occasion.step}/${occasion.key}/${occasion.attempt}`).digest();
    if (draw.readUInt32BE(0) / 2 ** 32 < script.rate) return script.kinds[draw.readUInt32BE(4) % script.kinds.length];
  }
  return undefined;
}
