import { readFileSync } from "node:fs";
import { sql } from "drizzle-orm";
import { formatAmount } from "../../src/base/money.ts";
import type { Db } from "../../src/store/postgres/database.ts";

/** One month's sales: how many, and their sum in decimal text. */
export interface MonthlyRevenue {
  readonly month: string;
  readonly purchases: number;
  readonly revenue: string;
}

/** Reads `month,purchases,revenue_usd`. */
export function readMonthlyFile(path: string): MonthlyRevenue[] {
  const [, ...lines] = readFileSync(path, "utf8").trim().split("\n");
  return lines.map((line) => {
    const [month = "", purchases = "", revenue = ""] = line.trim().split(",");
    return { month, purchases: Number(purchases), revenue };
  });
}

/** The revenue of each month of a zone, from the postings themselves. */
export async function monthlyRevenueOf(db: Db, currency: string, timeZone: string): Promise<MonthlyRevenue[]> {
  const rows = await db.execute<{ month: string; purchases: string; revenue: string }>(sql`
    select to_char(effective_at at time zone ${timeZone}, 'YYYY-MM') as month, count(*)::text as purchases, sum(revenue_minor)::text as revenue
      from postings where currency = ${currency} and revenue_minor is not null
     group by 1 order by 1`);
  return [...rows].map(({ month, purchases, revenue }) => ({
    month,
    purchases: Number(purchases),
    revenue: formatAmount(revenue, currency),
  }));
}
