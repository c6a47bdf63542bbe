import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { startCacheSystem, type CacheSystem } from "../../test/support/cache-system.ts";
import { until } from "../../test/support/until.ts";
import { closedLoop } from "../measure/load.ts";
import { measureRounds } from "../measure/rounds.ts";
import type { Plan } from "../plan.ts";
import { ratioRow, type Row } from "../report/row.ts";
import { createHttpPool, type HttpPool, type RawRequest } from "../system/http-pool.ts";

const IN_FLIGHT = 64;
const WARM_UP_MS = 1_000;
const USERS = 200;
/** Of so many requests of the mix one is a deposit. */
const MIX = 17;
const OPEN_WITHIN_MS = 120_000;

/** Two processes of the api over one Postgres and one Redis: the second one reads balances from Postgres alone. Throws: StackError. */
export async function startTwoApis({ meter }: Plan): Promise<{ part: CacheSystem; stop(): Promise<void> }> {
  const system = await startCacheSystem([{}, { BALANCE_CACHE: "off" }]);
  meter.labelRecorded(join(system.dataDir, "pids"));
  meter.label(await system.redis.processId(), "redis");
  return { part: system, stop: () => system.stop() };
}

/** Reads of balances, and reads with deposits among them, through either process, once in each round. Throws: Error when an answer is wrong. */
export async function measureCachedBalance(system: CacheSystem, plan: Plan): Promise<Row[]> {
  const [cached, plain] = system.apis.map(({ url }) => createHttpPool(url, { headers: {}, deadlineMs: 60_000 })) as [HttpPool, HttpPool];
  const expect = async (pool: HttpPool, status: number, request: RawRequest) => {
    const answer = await pool.send(request);
    if (answer.status !== status) throw new Error(`${request.path} answered ${answer.status}: ${answer.body.slice(0, 500)}`);
  };
  let turn = 0;
  const nextUser = () => `cached-${(turn += 1) % USERS}`;
  const read = (pool: HttpPool) => () => expect(pool, 200, { method: "GET", path: `/api/v1/balances/${nextUser()}?currency=RUB` });
  const deposit = (pool: HttpPool) =>
    expect(pool, 201, {
      method: "POST",
      path: `/api/v1/balances/${nextUser()}/deposits`,
      body: { amount: "1.00" },
      headers: { "idempotency-key": randomUUID() },
    });
  const mix = (pool: HttpPool) => {
    let count = 0;
    return () => ((count += 1) % MIX === 0 ? deposit(pool) : read(pool)());
  };
  const rate = (work: () => Promise<void>, durationMs = plan.durationMs) => closedLoop({ concurrency: IN_FLIGHT, durationMs, work });
  try {
    for (let made = 0; made < USERS; made += 1) await deposit(cached);
    await untilOpen(system.databaseUrl);
    for (const pool of [cached, plain]) await rate(mix(pool), WARM_UP_MS);
    plan.say(`cache: ${plan.rounds} rounds of four sides`);
    const measured = await measureRounds(
      plan.rounds,
      {
        cached: () => rate(read(cached)),
        plain: () => rate(read(plain)),
        cachedMix: () => rate(mix(cached)),
        plainMix: () => rate(mix(plain)),
      },
      plan.meter,
    );
    return [
      ratioRow("cached-balance", measured.cached, measured.plain),
      ratioRow("cached-mix", measured.cachedMix, measured.plainMix),
    ].filter(({ name }) => plan.wanted(name));
  } finally {
    cached.close();
    plain.close();
  }
}

async function untilOpen(databaseUrl: string): Promise<void> {
  const database = createDatabase({ url: databaseUrl, name: "bench-cache", laneCount: 1, deadlineMs: 10_000 });
  try {
    const isOpen = async () => (await database.db.values("select state from balance_cache", [], "once"))[0]?.[0] === "open";
    await until("the cache is open", isOpen, OPEN_WITHIN_MS);
  } finally {
    await database.close();
  }
}
