import { formatAmount } from "../../base/money.ts";
import type { DemoResult } from "./demo-run.ts";

/** True when every user's money adds up and every reservation that was left to expire has expired. */
export function isRight({ counts, books }: DemoResult): boolean {
  return books.every(({ addsUp }) => addsUp) && !counts.some(({ what }) => what.includes("DID NOT EXPIRE"));
}

/** The result for programs. Amounts are decimal text. */
export function demoAsJson(result: DemoResult, context: { readonly run: string; readonly currency: string; readonly elapsedMs: number }) {
  const { run, currency, elapsedMs } = context;
  const text = (amountMinor: bigint) => formatAmount(amountMinor, currency);
  return {
    run,
    currency,
    elapsedMs: Math.round(elapsedMs),
    counts: result.counts.map(({ what, timesMs }) => ({
      what,
      count: timesMs.length,
      p50Ms: percentile(timesMs, 0.5),
      p95Ms: percentile(timesMs, 0.95),
      maxMs: percentile(timesMs, 1),
    })),
    users: result.books.length,
    ...Object.fromEntries(Object.entries(totals(result)).map(([name, amountMinor]) => [name, text(amountMinor)])),
    wrong: result.books
      .filter(({ addsUp }) => !addsUp)
      .map(({ userId, ...money }) => ({
        userId,
        deposited: text(money.depositedMinor),
        available: text(money.availableMinor),
        held: text(money.heldMinor),
        spent: text(money.spentMinor),
      })),
    addsUp: isRight(result),
  };
}

/** The result for a person: a table, the sums, and whether they add up. */
export function demoAsText(
  result: DemoResult,
  context: { readonly run: string; readonly currency: string; readonly elapsedMs: number },
): string {
  const { counts, users, deposited, available, held, spent, wrong, addsUp } = demoAsJson(result, context) as ReturnType<typeof demoAsJson> &
    Record<string, string>;
  const rows = [
    ["what", "count", "p50 ms", "p95 ms", "max ms"],
    ...counts.map((row) => [row.what, row.count, row.p50Ms, row.p95Ms, row.maxMs].map(String)),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const table = rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "),
  );
  const wrongLines = wrong.map(
    (one) => `wrong: ${one.userId} deposited ${one.deposited}, has ${one.available} and ${one.held} held, spent ${one.spent}`,
  );
  return [
    ...table,
    "",
    `${users} users: deposited ${deposited} = available ${available} + held ${held} + spent ${spent} ${context.currency}, in ${(context.elapsedMs / 1_000).toFixed(1)} s`,
    ...wrongLines,
    `adds up: ${addsUp ? "yes" : "NO"}`,
  ].join("\n");
}

function totals({ books }: DemoResult): Record<"deposited" | "available" | "held" | "spent", bigint> {
  const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amountMinor) => total + amountMinor, 0n);
  return {
    deposited: sum(books.map(({ depositedMinor }) => depositedMinor)),
    available: sum(books.map(({ availableMinor }) => availableMinor)),
    held: sum(books.map(({ heldMinor }) => heldMinor)),
    spent: sum(books.map(({ spentMinor }) => spentMinor)),
  };
}

function percentile(timesMs: readonly number[], part: number): number {
  const sorted = timesMs.toSorted((left, right) => left - right);
  return Math.round((sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0) * 10) / 10;
}
