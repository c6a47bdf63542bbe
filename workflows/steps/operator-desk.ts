import { log, setHandler } from "@temporalio/workflow";
import { operatorActSignal, OPERATOR_ACTS, type OperatorAct, type OperatorActKind } from "../../src/contract/operator-acts.ts";
import { showStuck } from "../search-attributes.ts";
import { operatorActIn } from "../untyped-input.ts";

/** The stuck step of a workflow, and the decisions of operators about it. */
export interface OperatorDesk {
  /**
   * Shows that a step is stuck, why, and which acts an operator may choose (all by default). Without a step: nothing is stuck. Drops the
   * decisions that were not taken.
   */
  stuck(step: string | undefined, reason?: string, possibleActs?: readonly OperatorActKind[]): void;
  /** Shows a new reason of the stuck step; decisions that operators made meanwhile stay. */
  explain(reason: string): void;
  /** The stuck step, its reason and its possible acts, as the status query returns them; empty when nothing is stuck. */
  standing(): { readonly stuck?: string; readonly waitingFor?: string; readonly possibleActs?: readonly OperatorActKind[] };
  /** True when `takeAct` would return a decision. */
  hasAct(step: string): boolean;
  /** An operator's next decision about this step, taken off the list; undefined when there is none. */
  takeAct(step: string): OperatorAct | undefined;
}

/** Registers the signal by which operators decide. */
export function createOperatorDesk(): OperatorDesk {
  let acts: OperatorAct[] = [];
  let stuckStep: string | undefined;
  let waitingFor: string | undefined;
  let possible: readonly OperatorActKind[] = [];
  // A decision sent while nothing is stuck is dropped: it must not skip the next step that gets stuck.
  setHandler(operatorActSignal, (given: unknown) => {
    const act = operatorActIn(given);
    if (act === undefined) return log.warn("an operator's act was left aside: it needs act, reason and actor");
    const isMeant = stuckStep !== undefined && (act.step === undefined || act.step === stuckStep);
    if (isMeant && possible.includes(act.act)) acts.push({ ...act, step: stuckStep as string });
  });
  return {
    stuck(step, reason, possibleActs = OPERATOR_ACTS) {
      stuckStep = step;
      waitingFor = reason;
      possible = possibleActs;
      acts = [];
      showStuck(step !== undefined);
    },
    explain(reason) {
      waitingFor = reason;
      showStuck(stuckStep !== undefined);
    },
    standing: () =>
      stuckStep === undefined ? {} : { stuck: stuckStep, ...(waitingFor === undefined ? {} : { waitingFor }), possibleActs: possible },
    hasAct: (step) => acts.some((act) => act.step === step),
    takeAct(step) {
      const place = acts.findIndex((act) => act.step === step);
      return place < 0 ? undefined : acts.splice(place, 1)[0];
    },
  };
}
