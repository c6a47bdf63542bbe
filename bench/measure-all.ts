import { GROUPS } from "./groups.ts";
import { measureSystem } from "./measure-system.ts";
import type { Plan } from "./plan.ts";
import { measureBig } from "./rows/big.ts";
import { measureCachedBalance, startTwoApis } from "./rows/cached-balance.ts";
import { loadDeposits, loadEvents, loadOrders } from "./rows/load.ts";
import { measureStart } from "./rows/start.ts";
import { measureTransfers } from "./rows/transfers.ts";
import type { Results } from "./sections.ts";
import { startMeasuredSystem, startPostgresAlone, type StartOptions } from "./system/start-system.ts";

const SECTION_MS = 420_000;
/** Filling the large books takes minutes. */
const BIG_MS = 900_000;

/** Measures every wanted row. The whole system comes first: it warms the caches for the row `start`. */
export async function measureAll(
  results: Results,
  plan: Plan,
  options: Pick<StartOptions, "signal" | "onKillable" | "profileDir"> & { readonly plots: boolean },
): Promise<void> {
  const start: StartOptions = { ...plan, ...options };
  const wants = (...groups: string[]) => groups.some((group) => (GROUPS[group] ?? []).some((row) => plan.wanted(row)));
  if (options.plots || wants("orders", "order-latency", "workflows", "reservations", "http", "events"))
    await results.using(
      "the whole system",
      () => startMeasuredSystem(start),
      async (system) => {
        await measureSystem(system, plan, results);
        if (!options.plots) return;
        await results.attemptPlot("load of orders", SECTION_MS, () => loadOrders(system, plan));
        await results.attemptPlot("load of deposits", SECTION_MS, () => loadDeposits(system, plan));
        await results.attemptPlot("load of events", SECTION_MS, () => loadEvents(system, plan));
      },
    );
  if (wants("cache"))
    await results.using(
      "two processes of the api",
      () => startTwoApis(plan),
      async (system) => results.attempt("cache", SECTION_MS, () => measureCachedBalance(system, plan)),
    );
  if (wants("start")) await results.attempt("start", SECTION_MS, () => measureStart(plan));
  if (wants("ledger", "big"))
    await results.using(
      "Postgres",
      () => startPostgresAlone(start),
      async (server) => {
        if (wants("ledger")) await results.attempt("transfers", SECTION_MS, () => measureTransfers(server, plan));
        if (wants("big")) await results.attempt("big", BIG_MS, () => measureBig(server, plan));
      },
    );
}
