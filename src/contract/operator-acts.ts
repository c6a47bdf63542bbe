import { defineSignal } from "@temporalio/workflow";

export const OPERATOR_ACTS = ["retry", "skip", "settle"] as const;
/** Try the stuck step at once; leave it undone; or take it as done by hand outside of Saldo. */
export type OperatorActKind = (typeof OPERATOR_ACTS)[number];
/** The acts on a step that must happen whatever an operator decides, such as the capture of money that the provider may have taken already. */
export const ONLY_RETRY: readonly OperatorActKind[] = ["retry"];
/** The acts on a step that must happen but may have been done outside of Saldo, such as a refund by bank transfer. */
export const RETRY_OR_SETTLE: readonly OperatorActKind[] = ["retry", "settle"];

/** An operator's decision about a stuck step. */
export interface OperatorAct {
  readonly act: OperatorActKind;
  /** The step it is meant for; without it, the step that is stuck. */
  readonly step?: string;
  readonly reason: string;
  readonly actor: string;
}

/** Hands an operator's decision about a stuck step to its workflow. */
export const operatorActSignal = defineSignal<[OperatorAct]>("operatorAct");
