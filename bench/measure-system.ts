import type { ReaderCommands } from "./children/bridge.ts";
import type { DbosCommands } from "./children/dbos.ts";
import type { EventBaselineCommands } from "./children/event-baselines.ts";
import type { WorkflowCommands } from "./children/workflows.ts";
import { GROUPS } from "./groups.ts";
import type { Plan } from "./plan.ts";
import type { RowName } from "./report/row-texts.ts";
import { measureEvents } from "./rows/events.ts";
import { measureHttp } from "./rows/http.ts";
import { measureOrders } from "./rows/orders.ts";
import { measureReservations } from "./rows/reservations.ts";
import { measureWorkflows } from "./rows/workflows.ts";
import type { Results } from "./sections.ts";
import { startChild, type Child } from "./system/child.ts";
import { createDatabaseServer } from "./system/database.ts";
import type { MeasuredSystem } from "./system/measured-system.ts";

const SECTION_MS = 420_000;

/** Measures every wanted row that needs the whole system. */
export async function measureSystem(system: MeasuredSystem, plan: Plan, results: Results): Promise<void> {
  const wants = (...groups: string[]) => groups.some((group) => (GROUPS[group] ?? []).some((row: RowName) => plan.wanted(row)));
  if (wants("orders", "order-latency", "workflows", "reservations"))
    await results.using(
      "Temporal's baselines",
      () => startWorkflows(system, plan),
      async (workflows) => {
        if (wants("orders", "order-latency"))
          await results.using(
            "DBOS",
            () => startDbos(system, plan),
            (dbos) => results.attempt("orders", SECTION_MS, () => measureOrders(system, { workflows, dbos }, plan)),
          );
        if (wants("reservations")) await results.attempt("reservations", SECTION_MS, () => measureReservations(system, workflows, plan));
        if (wants("workflows")) await results.attempt("workflows", SECTION_MS, () => measureWorkflows(workflows, plan));
      },
    );
  if (wants("http")) await results.attempt("http", SECTION_MS, () => measureHttp(system, plan));
  if (wants("events"))
    await results.using(
      "the bridge's process",
      () => startBridge(system, plan),
      (bridge) =>
        results.using(
          "the events' baselines",
          () => startEventBaselines(system, plan),
          (baselines) => results.attempt("events", SECTION_MS, () => measureEvents(system, { bridge, baselines }, plan)),
        ),
    );
}

function startWorkflows({ temporalAddress, config }: MeasuredSystem, { meter }: Plan) {
  const input = { address: temporalAddress, cacheDir: config.CACHE_DIR };
  return asPart(startChild<WorkflowCommands>("workflows", { input, label: "baseline", meter }));
}

async function startDbos({ databaseUrl, adminUrl }: MeasuredSystem, { meter }: Plan) {
  const database = await createDatabaseServer({ appUrl: databaseUrl, adminUrl }).createEmpty("bench_dbos");
  return asPart(startChild<DbosCommands>("dbos", { input: { url: database.adminUrl }, label: "dbos", meter }));
}

function startBridge({ brokers, environment }: MeasuredSystem, { meter }: Plan) {
  return asPart(startChild<ReaderCommands>("bridge", { input: { brokers }, label: "bridge", meter, environment }));
}

function startEventBaselines({ brokers, databaseUrl, config }: MeasuredSystem, { meter }: Plan) {
  const input = { brokers, appUrl: databaseUrl, laneCount: config.LEDGER_LANES };
  return asPart(startChild<EventBaselineCommands>("event-baselines", { input, label: "baseline", meter }));
}

async function asPart<Known extends Child<never>>(starting: Promise<Known>): Promise<{ part: Known; stop(): Promise<void> }> {
  const part = await starting;
  return { part, stop: () => part.stop() };
}
