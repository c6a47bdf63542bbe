import { defineSignal } from "@temporalio/workflow";

export const OPERATOR_ACTS = ["retry", "skip", "settle"] as const;
/** Try what is stuck at once; leave it undone; or take it as done by hand outside. */
export type OperatorActKind = (typeof OPERATOR_ACTS)[number];
/** What has to happen and is nobody's to decide, as the capture of money that may be taken already. */
export const ONLY_RETRY: readonly OperatorActKind[] = ["retry"];
/** What has to happen and may have been done outside, as a refund by bank transfer. */
export const RETRY_OR_SETTLE: readonly OperatorActKind[] = ["retry", "settle"];

/** What a person decided about a stuck order. */
export interface OperatorAct {
  readonly act: OperatorActKind;
  /** The step it is meant for; without it the one that is stuck. */
  readonly step?: string;
  readonly reason: string;
  readonly actor: string;
}

/** A person's decision about what is stuck. */
export const operatorActSignal = defineSignal<[OperatorAct]>("operatorAct");
