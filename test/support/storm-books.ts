import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "drizzle-orm";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import type { System } from "../../src/cli/start/system.ts";
import type { Db } from "../../src/store/postgres/database.ts";
import type { Stage } from "./storm-stage.ts";

/** How many orders are under way at each edge of their saga. */
export async function edgesOf(db: Db): Promise<Record<string, number>> {
  const rows = await db.execute<{ edge: string; count: string }>(sql`
    select o.payment_method || ' ' || o.saga_state || '/' || coalesce(p.status, 'none') as edge, count(*) as count
      from orders o left join payments p on p.order_id = o.id where o.saga_state not in ('COMPLETED', 'FAILED') group by 1`);
  return Object.fromEntries(rows.map(({ edge, count }) => [edge, Number(count)]));
}

/** Waits until each order of the storm and each refund has ended. Throws: Error when that takes longer than the storm may. */
export async function untilFinal({ db, options }: Pick<Stage, "db" | "options">, note: (text: string) => void): Promise<void> {
  const deadlineMs = performance.now() + options.deadlineMs;
  for (let look = 0; ; look += 1) {
    const [row] = await db.execute<{ orders: string; open: string; refunds: string }>(sql`
      select (select count(*) from orders) as orders, (select count(*) from orders where saga_state not in ('COMPLETED', 'FAILED')) as open,
             (select count(*) from refunds where status = 'pending') as refunds`);
    if (Number(row?.orders) === options.orders && Number(row?.open) === 0 && Number(row?.refunds) === 0) return;
    const words = `${row?.orders} orders written, ${row?.open} not ended, ${row?.refunds} refunds under way`;
    if (performance.now() > deadlineMs) throw new Error(`after ${options.deadlineMs} ms: ${words}; ${JSON.stringify(await edgesOf(db))}`);
    if (look % 20 === 19) note(words);
    await sleep(500);
  }
}

/** How many orders, payments and refunds ended in which way. */
export async function outcomesOf(db: Db): Promise<Record<string, number>> {
  const rows = await db.execute<{ what: string; count: string }>(sql`
    select payment_method || ' ' || coalesce(failure_code, saga_state) as what, count(*) as count from orders group by 1
    union all
    select 'captured and given back', count(*) from orders o join payments p on p.order_id = o.id
     where o.saga_state = 'FAILED' and p.captured_minor > 0 and p.captured_minor = p.refunded_minor
    union all
    select 'authorisation cancelled', count(*) from payments where method = 'card' and status = 'cancelled'
    union all
    select 'purchase booked', count(*) from orders where id like 'purchase-%' and saga_state = 'COMPLETED'
    union all
    select 'refunded in part', count(*) from refunds where status = 'done'
    union all
    select 'settled by hand', count(*) from orders where settled_by_hand is not null
    order by 1`);
  return Object.fromEntries(rows.map(({ what, count }) => [what, Number(count)]));
}

/** Workflows of orders that still run, in words: a row may say that its order has ended while the workflow has not. */
export async function openWorkflows({ running }: System): Promise<string[]> {
  const link = await createTemporal({ address: running.temporalAddress, namespace: "default", deadlineMs: 10_000, logger: SILENT_LOG });
  try {
    for (const deadlineMs = performance.now() + 30_000; ; await sleep(500)) {
      const query = `WorkflowType IN ("orderSaga", "orderRefund") AND ExecutionStatus = "Running"`;
      const { count } = await link.client.workflow.count(query);
      if (count === 0) return [];
      if (performance.now() > deadlineMs) return [`${count} workflows of orders still run`];
    }
  } finally {
    await link.close();
  }
}
