import { randomUUID } from "node:crypto";
import { DBOS } from "@dbos-inc/dbos-sdk";
import postgres from "postgres";
import { closedLoop, oneAtATime } from "../measure/load.ts";
import type { Sample } from "../measure/rounds.ts";
import { serveParent } from "./serve.ts";

export interface DbosCommands extends Record<string, (input: never) => Promise<unknown>> {
  rate(input: { concurrency: number; durationMs: number }): Promise<Sample>;
  latency(input: { durationMs: number }): Promise<Sample>;
  /** Throws: Error when an order is not paid exactly once. */
  check(input: undefined): Promise<void>;
}

const USERS = 200;
const FUNDS_MINOR = 1_000_000_000;
const PRICE_MINOR = 100;
const POOL = 20;

/** The comparison with DBOS Transact: an order of three steps (create, hold, capture), each one plain statement, in the database of `url`. */
serveParent(async ({ url }: { url: string }) => {
  const sql = postgres(url, { max: POOL, fetch_types: false, onnotice: () => undefined });
  await sql.unsafe(`
    create table wallets (user_id text primary key, available bigint not null check (available >= 0), held bigint not null check (held >= 0));
    create table orders (id text primary key, user_id text not null, amount bigint not null, state text not null);
    insert into wallets select 'bench-user-' || n, ${FUNDS_MINOR}, 0 from generate_series(0, ${USERS - 1}) n`);
  // It speaks to nobody but the database: no conductor key, no telemetry.
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, systemDatabasePoolSize: POOL, logLevel: "error", enableOTLP: false });
  const order = DBOS.registerWorkflow(orderWorkflow(sql), { name: "order" });
  await DBOS.launch();
  let placed = 0;
  const work = () => {
    placed += 1;
    return order(randomUUID(), `bench-user-${placed % USERS}`);
  };
  const commands: DbosCommands = {
    rate: (options) => closedLoop({ ...options, work }),
    latency: (options) => oneAtATime({ ...options, work }),
    async check() {
      const [row] = await sql`
        select (select count(*)::int from orders where state = 'COMPLETED') as completed, (select sum(held)::bigint::text from wallets) as held,
               (select (${FUNDS_MINOR}::bigint * ${USERS} - sum(available))::text from wallets) as paid`;
      if (row?.["completed"] !== placed || row["held"] !== "0" || row["paid"] !== String(placed * PRICE_MINOR))
        throw new Error(`of ${placed} orders on DBOS the database has ${JSON.stringify(row)}`);
    },
  };
  return {
    commands,
    async close() {
      await DBOS.shutdown();
      await sql.end({ timeout: 5 });
    },
  };
});

function orderWorkflow(sql: postgres.Sql) {
  return async (orderId: string, userId: string): Promise<string> => {
    await DBOS.runStep(
      async () => {
        await sql`insert into orders values (${orderId}, ${userId}, ${PRICE_MINOR}, 'STARTED') on conflict do nothing`;
      },
      { name: "create" },
    );
    await DBOS.runStep(
      async () => {
        await sql`
          with o as (update orders set state = 'PAYMENT_PENDING' where id = ${orderId} and state = 'STARTED' returning user_id, amount)
          update wallets w set available = available - o.amount, held = held + o.amount from o where w.user_id = o.user_id`;
      },
      { name: "hold" },
    );
    await DBOS.runStep(
      async () => {
        await sql`
          with o as (update orders set state = 'COMPLETED' where id = ${orderId} and state = 'PAYMENT_PENDING' returning user_id, amount)
          update wallets w set held = held - o.amount from o where w.user_id = o.user_id`;
      },
      { name: "capture" },
    );
    return "COMPLETED";
  };
}
