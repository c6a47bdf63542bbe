import { log, setHandler } from "@temporalio/workflow";
import { operatorActSignal, OPERATOR_ACTS, type OperatorAct, type OperatorActKind } from "../../src/contract/operator-acts.ts";
import { showStuck } from "../search-attributes.ts";
import { operatorActIn } from "../untyped-input.ts";

/** What is stuck of a workflow, and what operators decide about it. */
export interface OperatorDesk {
  /** Shows that a step is stuck and which acts it takes; undefined when it is not any more. */
  stuck(step: string | undefined, reason?: string, possibleActs?: readonly OperatorActKind[]): void;
  /** Says more of the step that is stuck; what operators decided about it meanwhile stands. */
  explain(reason: string): void;
  /** What is stuck, as a status tells it. */
  standing(): { readonly stuck?: string; readonly waitingFor?: string; readonly possibleActs?: readonly OperatorActKind[] };
  hasAct(step: string): boolean;
  /** The next decision about this step, taken off the list; undefined when there is none. */
  takeAct(step: string): OperatorAct | undefined;
}

/** Registers the signal by which operators act. */
export function createOperatorDesk(): OperatorDesk {
  let acts: OperatorAct[] = [];
  let stuckStep: string | undefined;
  let waitingFor: string | undefined;
  let possible: readonly OperatorActKind[] = [];
  // What is sent while nothing is stuck decides nothing: the next step that is parked must not be skipped by it.
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
