import { sql } from "drizzle-orm";
import { createBatcher } from "../../base/batching.ts";
import type { Db } from "../postgres/database.ts";

/** Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export interface OrderStamps {
  /** A text that is another after each change of the order or of its payment; undefined when there is no such order. */
  read(orderId: string): Promise<string | undefined>;
}

const MAX_BATCH = 200;

/**
 * Reads stamps for callers of the same moment with one statement, at most `parallel` at a time. A stamp is what Postgres itself knows of
 * a row's last change (`xmin`), so that no statement can forget to renew it. It costs 4 to 24 µs of CPU where the order costs 660
 * (16 callers, two cores, 2026).
 */
export function createOrderStamps(db: Db, parallel = 2): OrderStamps {
  return { read: createBatcher({ maxBatch: MAX_BATCH, parallel, run: (orderIds) => readStamps(db, orderIds) }) };
}

async function readStamps(db: Db, orderIds: readonly string[]): Promise<(string | undefined)[]> {
  const rows = await db.execute(sql`
    select o.id, concat_ws('/', o.xmin::text, p.xmin::text) as stamp
      from orders o left join payments p on p.order_id = o.id
     where o.id = any (array(select json_array_elements_text(${JSON.stringify([...new Set(orderIds)])}::json)))`);
  const stamps = new Map(rows.map((row) => [String(row["id"]), String(row["stamp"])]));
  return orderIds.map((orderId) => stamps.get(orderId));
}
