import { createHash } from "node:crypto";
import { z } from "zod";

/** The steps that the provider can be asked for; `look-up` and `tokenise` can only be slow, hang or fail. */
export const STEPS = ["tokenise", "authorise", "capture", "cancel", "refund", "look-up"] as const;
export type Step = (typeof STEPS)[number];

const MONEY_STEPS: readonly Step[] = ["authorise", "capture", "cancel", "refund"];

/** The ways in which the provider answers a request. */
export const BEHAVIOURS = [
  /** Executed and answered. */
  "approve",
  /** Declined for good and written to the book, as `card_declined` or `insufficient_funds`. */
  "decline",
  "insufficient-funds",
  /** Executed and answered, but only after `slowMs`. */
  "slow",
  /** Not executed and not answered. */
  "hang",
  /** Executed, but not answered. */
  "charge-then-hang",
  /** Executed, but answered with 500. */
  "charge-then-500",
  /** 503 and not executed. */
  "5xx",
  /** 429 with `Retry-After` and not executed. */
  "429",
  /** 500, and 500 again for the same key until it is reconciled. The step was executed, as a look-up shows. */
  "stored-500-charged",
  /** 500, and 500 again for the same key until it is reconciled. The step was not executed. */
  "stored-500-uncharged",
] as const;
export type Behaviour = (typeof BEHAVIOURS)[number];

/** A script: which behaviour the provider shows to which requests. */
export const scriptSchema = z.strictObject({
  /** The behaviours; of several, one is drawn for each request. */
  kinds: z.array(z.enum(BEHAVIOURS)).min(1),
  /** The share of requests that the script applies to, 0 to 1. */
  rate: z.number().min(0).max(1).default(1),
  /** The seed of the draws. Equal seeds draw equally for equal keys, in whatever order the requests come. */
  seed: z.number().int().default(1),
  steps: z
    .array(z.enum(STEPS))
    .min(1)
    .default([...MONEY_STEPS]),
  /** Limits the script to keys with this beginning. */
  keyPrefix: z.string().optional(),
  /** Limits the script to this many first requests of each key. */
  timesPerKey: z.number().int().min(1).optional(),
});
export type Script = z.infer<typeof scriptSchema>;

/** A request as scripts see it. `attempt` counts the requests of this step and key, from 1. */
export interface Occasion {
  readonly step: Step;
  readonly key: string;
  readonly attempt: number;
}

/** The behaviour of the first script that applies to this request and draws it; undefined when none does. */
export function behaviourOf(scripts: readonly Script[], occasion: Occasion): Behaviour | undefined {
  for (const [place, script] of scripts.entries()) {
    if (!script.steps.includes(occasion.step) || !occasion.key.startsWith(script.keyPrefix ?? "")) continue;
    if (script.timesPerKey !== undefined && occasion.attempt > script.timesPerKey) continue;
    const draw = createHash("sha256").update(`${script.seed}/${place}/${occasion.step}/${occasion.key}/${occasion.attempt}`).digest();
    if (draw.readUInt32BE(0) / 2 ** 32 < script.rate) return script.kinds[draw.readUInt32BE(4) % script.kinds.length];
  }
  return undefined;
}
