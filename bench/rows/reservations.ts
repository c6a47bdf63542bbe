import type { WorkflowCommands } from "../children/workflows.ts";
import { closedLoop } from "../measure/load.ts";
import { measureRounds } from "../measure/rounds.ts";
import type { Plan } from "../plan.ts";
import { ratioRow, type Row } from "../report/row.ts";
import type { Child } from "../system/child.ts";
import type { MeasuredSystem } from "../system/measured-system.ts";
import { openApiSession, PRICE, PRICE_MINOR, serviceOf } from "./api-session.ts";

const NAME = "reservations";
const IN_FLIGHT = 50;
const WARM_UP_MS = 2_000;
const CALL_DEADLINE_MS = 120_000;

/** Reservations placed and then confirmed whole, against two empty workflows one after the other. Throws: Error when one is not confirmed or the books are wrong. */
export async function measureReservations(system: MeasuredSystem, workflows: Child<WorkflowCommands>, plan: Plan): Promise<Row[]> {
  const session = await openApiSession(system, NAME);
  let confirmed = 0;
  const placeAndConfirm = async () => {
    const body = { userId: session.nextUser(), serviceId: serviceOf(NAME), orderId: `bench-${confirmed}`, amount: PRICE, ttlSeconds: 600 };
    const { reservationId } = (await session.expect(201, session.post("/api/v1/reservations", body))) as { reservationId: string };
    const answer = await session.expect(200, session.post(`/api/v1/reservations/${reservationId}/confirm`, {}));
    const { status } = answer as { status: string };
    if (status !== "confirmed") throw new Error(`a reservation of the benchmark is ${status}`);
    confirmed += 1;
  };
  const ours = async (durationMs: number) => {
    const sample = await closedLoop({ concurrency: IN_FLIGHT, durationMs, work: placeAndConfirm });
    await session.settle();
    return sample;
  };
  const pairs = async (durationMs: number) => {
    const kind = "ordinary";
    const { figure, operations } = await workflows.call("rate", { kind, concurrency: IN_FLIGHT, durationMs }, CALL_DEADLINE_MS);
    return { figure: figure / 2, operations: operations / 2 };
  };
  try {
    await ours(WARM_UP_MS);
    await pairs(WARM_UP_MS / 2);
    plan.say(`reservations: ${plan.rounds} rounds`);
    const sides = { ours: () => ours(plan.longMs), baseline: () => pairs(plan.longMs) };
    const measured = await measureRounds(plan.rounds, sides, plan.meter);
    const revenue = await session.count(
      `select coalesce(sum(balance_minor), 0)::text as found from accounts where kind = 'revenue' and owner = '${serviceOf(NAME)}'`,
    );
    if (revenue !== confirmed * PRICE_MINOR)
      throw new Error(`${confirmed} reservations were confirmed and their revenue is ${revenue} minor units`);
    await session.audit();
    return [ratioRow("reservations", measured.ours, measured.baseline, session.notes())];
  } finally {
    await session.close();
  }
}
