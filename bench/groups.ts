import type { RowName } from "./report/row-texts.ts";

/** Rows that are measured together, by the name under which `--only` asks for them. */
export const GROUPS: Readonly<Record<string, readonly RowName[]>> = {
  orders: ["orders", "orders-floor", "orders-dbos", "order-processor"],
  "order-latency": ["order-latency", "order-latency-dbos"],
  workflows: ["workflow-eager", "workflow-one-step", "workflow-three-steps", "workflow-saga"],
  reservations: ["reservations"],
  http: ["deposits", "balance", "operations"],
  cache: ["cached-balance", "cached-mix"],
  events: ["events-ledger", "events"],
  start: ["start"],
  ledger: ["transfers", "hot-transfers"],
  big: ["report", "big-transfers"],
};

/** What a quick run leaves out. */
export const NOT_QUICK: readonly RowName[] = ["report", "big-transfers"];
