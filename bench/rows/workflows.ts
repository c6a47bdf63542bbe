import type { WorkflowCommands, WorkflowKind } from "../children/workflows.ts";
import { measureRounds } from "../measure/rounds.ts";
import type { Plan } from "../plan.ts";
import { ratioRow, type Row } from "../report/row.ts";
import type { Child } from "../system/child.ts";

const IN_FLIGHT = 50;
const CALL_DEADLINE_MS = 60_000;
const WARM_UP_MS = 1_000;
const KINDS = ["ordinary", "eager", "one-step", "three-steps", "floor"] as const;

/** What the pieces of a workflow cost on Temporal without any of Saldo's work, all of them once in each round. */
export async function measureWorkflows(workflows: Child<WorkflowCommands>, plan: Plan): Promise<Row[]> {
  const run = (kind: WorkflowKind, durationMs: number) =>
    workflows.call("rate", { kind, concurrency: IN_FLIGHT, durationMs }, CALL_DEADLINE_MS);
  for (const kind of KINDS) await run(kind, WARM_UP_MS);
  plan.say(`workflows: ${plan.rounds} rounds of five sides`);
  const side = (kind: WorkflowKind) => () => run(kind, plan.durationMs);
  const sides = {
    ordinary: side("ordinary"),
    eager: side("eager"),
    one: side("one-step"),
    three: side("three-steps"),
    floor: side("floor"),
  };
  const measured = await measureRounds(plan.rounds, sides, plan.meter);
  return [
    ratioRow("workflow-eager", measured.eager, measured.ordinary),
    ratioRow("workflow-one-step", measured.one, measured.ordinary),
    ratioRow("workflow-three-steps", measured.three, measured.ordinary),
    ratioRow("workflow-saga", measured.floor, measured.ordinary),
  ].filter(({ name }) => plan.wanted(name));
}
