import type { DbosCommands } from "../children/dbos.ts";
import type { WorkflowCommands, WorkflowKind } from "../children/workflows.ts";
import { cpuOf } from "../measure/cpu-by-process.ts";
import { closedLoop, oneAtATime } from "../measure/load.ts";
import { measureRounds, type Sample, type SideRounds } from "../measure/rounds.ts";
import type { Plan } from "../plan.ts";
import { ratioRow, type Row } from "../report/row.ts";
import type { Child } from "../system/child.ts";
import type { MeasuredSystem } from "../system/measured-system.ts";
import { openApiSession, PRICE_MINOR, serviceOf, type ApiSession } from "./api-session.ts";
import { orderRequest, requireCompleted } from "./place-order.ts";

const NAME = "orders";
const IN_FLIGHT = 50;
const WAIT_SECONDS = 30;
const CALL_DEADLINE_MS = 120_000;
const WARM_UP_MS = 2_000;

/** The baselines of orders, each in a process of its own. */
export interface OrderBaselines {
  readonly workflows: Child<WorkflowCommands>;
  readonly dbos: Child<DbosCommands>;
}

/**
 * Orders over HTTP until they are COMPLETED, against empty workflows, the saga without its work and the same steps on DBOS, all of them
 * once in each round. Throws: Error when an order is not COMPLETED or the books are wrong afterwards.
 */
export async function measureOrders(system: MeasuredSystem, { workflows, dbos }: OrderBaselines, plan: Plan): Promise<Row[]> {
  const session = await openApiSession(system, NAME);
  let placed = 0;
  const order = async () => {
    placed += 1;
    requireCompleted(await session.expect(201, orderRequest(session, NAME, WAIT_SECONDS)));
  };
  const settled = async (sample: Promise<Sample>) => {
    const result = await sample;
    // The messages of these orders are published after their answers, and must not be paid by the side that follows.
    await session.settle();
    return result;
  };
  const ours = (durationMs: number) => settled(closedLoop({ concurrency: IN_FLIGHT, durationMs, work: order }));
  const flow = (kind: WorkflowKind, durationMs: number) =>
    workflows.call("rate", { kind, concurrency: IN_FLIGHT, durationMs }, CALL_DEADLINE_MS);
  const onDbos = (durationMs: number) => dbos.call("rate", { concurrency: IN_FLIGHT, durationMs }, CALL_DEADLINE_MS);
  const rows: Row[] = [];
  try {
    await ours(WARM_UP_MS);
    for (const kind of ["ordinary", "floor"] as const) await flow(kind, WARM_UP_MS / 2);
    await onDbos(WARM_UP_MS / 2);
    if (["orders", "orders-floor", "orders-dbos", "order-processor"].some((name) => plan.wanted(name as Row["name"]))) {
      plan.say(`orders: ${plan.rounds} rounds of four sides`);
      const sides = {
        ours: () => ours(plan.longMs),
        ordinary: () => flow("ordinary", plan.longMs),
        floor: () => flow("floor", plan.longMs),
        dbos: () => onDbos(plan.durationMs),
      };
      rows.push(...ratesOf(await measureRounds(plan.rounds, sides, plan.meter)).filter(({ name }) => plan.wanted(name)));
    }
    if (plan.wanted("order-latency") || plan.wanted("order-latency-dbos")) {
      plan.say(`order-latency: ${plan.rounds} rounds of three sides`);
      const { durationMs } = plan;
      const sides = {
        ours: () => settled(oneAtATime({ durationMs, work: order })),
        ordinary: () => workflows.call("latency", { kind: "ordinary", durationMs }, CALL_DEADLINE_MS),
        dbos: () => dbos.call("latency", { durationMs }, CALL_DEADLINE_MS),
      };
      const measured = await measureRounds(plan.rounds, sides, plan.meter);
      rows.push(ratioRow("order-latency", measured.ours, measured.ordinary), ratioRow("order-latency-dbos", measured.ours, measured.dbos));
    }
    await checkOrders(session, placed);
    await dbos.call("check", undefined, CALL_DEADLINE_MS);
    const [first, ...others] = rows;
    return first === undefined ? [] : [{ ...first, notes: session.notes() }, ...others];
  } finally {
    await session.close();
  }
}

function ratesOf(sides: Readonly<Record<"ours" | "ordinary" | "floor" | "dbos", SideRounds>>): Row[] {
  const { ours, ordinary, floor, dbos } = sides;
  const rows = [ratioRow("orders", ours, ordinary), ratioRow("orders-floor", ours, floor), ratioRow("orders-dbos", ours, dbos)];
  const [ofOrder, ofEmpty] = [processorOf(ours, isSaldo), processorOf(ordinary, isOfEmptyWorkflow)];
  return ofOrder.figures.length === 0 ? rows : [...rows, ratioRow("order-processor", ofOrder, ofEmpty)];
}

/** The load generator stands for a client on another machine, and the baselines' processes are idle meanwhile. */
function isSaldo(label: string): boolean {
  return label !== "bench" && label !== "baseline" && label !== "dbos";
}

/** Saldo's roles are idle meanwhile; what they spend is not the baseline's. */
function isOfEmptyWorkflow(label: string): boolean {
  return label === "temporal" || label === "baseline";
}

function processorOf(side: SideRounds, isWanted: (label: string) => boolean): SideRounds {
  return { figures: side.cpuMs.map((cpu) => cpuOf(cpu, isWanted)), cpuMs: side.cpuMs };
}

async function checkOrders(session: ApiSession, placed: number): Promise<void> {
  const revenue = await session.count(
    `select coalesce(sum(balance_minor), 0)::text as found from accounts where kind = 'revenue' and owner = '${serviceOf(NAME)}'`,
  );
  if (revenue !== placed * PRICE_MINOR) throw new Error(`${placed} orders were paid and their revenue is ${revenue} minor units`);
  await session.audit();
}
