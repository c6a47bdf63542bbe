import { closedLoop } from "../measure/load.ts";
import { measureRounds } from "../measure/rounds.ts";
import type { Plan } from "../plan.ts";
import { ratioRow, type Row } from "../report/row.ts";
import type { RawRequest } from "../system/http-pool.ts";
import type { MeasuredSystem } from "../system/measured-system.ts";
import { openApiSession, type ApiSession } from "./api-session.ts";

const NAME = "http";
const IN_FLIGHT = 64;
const WARM_UP_MS = 1_000;
const DEPOSIT = "1.00";
const DEPOSIT_MINOR = 100;
/** The route that does nothing: it needs no token and counts against no limit. */
const EMPTY: RawRequest = { method: "GET", path: "/healthz" };
/** Each listed user has more operations than the list shows. */
const LISTED_USERS = 20;
const OPERATIONS_EACH = 30;

/** Deposits and a balance against an empty endpoint, and the list of operations against a balance, all once in each round. Throws: Error when a deposit is missing or doubled. */
export async function measureHttp(system: MeasuredSystem, plan: Plan): Promise<Row[]> {
  const session = await openApiSession(system, NAME);
  let deposited = 0;
  const deposit = async () => {
    deposited += 1;
    await session.expect(201, depositRequest(session));
  };
  const get = (request: () => RawRequest) => async () => void (await session.expect(200, request()));
  const balance = get(() => ({ method: "GET", path: `/api/v1/balances/${session.nextUser()}?currency=RUB` }));
  let turn = 0;
  const operations = get(() => {
    turn += 1;
    return { method: "GET", path: `/api/v1/balances/${listedUser(turn % LISTED_USERS)}/operations?limit=20` };
  });
  const rate = (work: () => Promise<void>, durationMs = plan.durationMs) => closedLoop({ concurrency: IN_FLIGHT, durationMs, work });
  try {
    await prepareLists(session);
    for (const work of [get(() => EMPTY), deposit, balance, operations]) await rate(work, WARM_UP_MS);
    plan.say(`http: ${plan.rounds} rounds of four sides`);
    const sides = {
      empty: () => rate(get(() => EMPTY)),
      deposits: async () => {
        const sample = await rate(deposit);
        await session.settle();
        return sample;
      },
      balance: () => rate(balance),
      operations: () => rate(operations),
    };
    const measured = await measureRounds(plan.rounds, sides, plan.meter);
    await checkDeposits(session, deposited);
    return [
      ratioRow("deposits", measured.deposits, measured.empty, session.notes()),
      ratioRow("balance", measured.balance, measured.empty),
      ratioRow("operations", measured.operations, measured.balance),
    ].filter(({ name }) => plan.wanted(name));
  } finally {
    await session.close();
  }
}

/** A deposit for the next user of the session. */
export function depositRequest(session: ApiSession): RawRequest {
  return session.post(`/api/v1/balances/${session.nextUser()}/deposits`, { amount: DEPOSIT });
}

function listedUser(place: number): string {
  return `bench-listed-${place}`;
}

async function prepareLists(session: ApiSession): Promise<void> {
  const users = Array.from({ length: LISTED_USERS }, (_, place) => listedUser(place));
  await Promise.all(
    users.map(async (user) => {
      for (let made = 0; made < OPERATIONS_EACH; made += 1)
        await session.expect(201, session.post(`/api/v1/balances/${user}/deposits`, { amount: DEPOSIT }));
    }),
  );
}

async function checkDeposits(session: ApiSession, deposited: number): Promise<void> {
  const booked = await session.count(
    `select coalesce(sum(amount_minor), 0)::text as found from operations where user_id like 'bench-${NAME}-%' and amount_minor = ${DEPOSIT_MINOR}`,
  );
  if (booked !== deposited * DEPOSIT_MINOR) throw new Error(`${deposited} deposits were answered and ${booked} minor units are booked`);
  await session.audit();
}
