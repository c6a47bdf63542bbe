import { existsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { DefaultLogger, Runtime } from "@temporalio/worker";
import { createActivities, type Activities } from "../../activities/index.ts";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { createPsp } from "../../src/adapters/psp/psp-http.ts";
import { createTemporal } from "../../src/adapters/temporal/temporal.ts";
import { DomainError } from "../../src/base/errors.ts";
import { TASK_QUEUES } from "../../src/contract/task-queues.ts";
import { createLedger } from "../../src/store/ledger/ledger.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { createSaldoWorkers } from "../../workers/parts/create-worker.ts";

/** The moment at which a worker dies: before the step has an effect, or after the effect and before its answer. */
export interface Edge {
  readonly step: keyof Activities;
  readonly side: "before" | "after";
}

/** The input of a worker in a process of its own, as JSON. */
export interface EdgeWorkerInput {
  readonly temporalAddress: string;
  readonly namespace: string;
  readonly databaseUrl: string;
  readonly psp: { readonly url: string; readonly apiKey: string };
  readonly bundlePath: string;
  readonly edge: Edge;
  /** True when no order is paid at once: each is created, held and captured one step after the other. */
  readonly payInSteps: boolean;
  /** A file that exists once a worker has died: the next worker then lives. */
  readonly markerPath: string;
}

const PSP_TIMEOUT_MS = 500;

// A worker of the real parts that kills itself with SIGKILL in the middle of an activity.
const input = JSON.parse(process.argv[2] ?? "") as EdgeWorkerInput;
const options = { url: input.databaseUrl, name: "edge-worker", deadlineMs: 10_000 };
const database = createDatabase({ ...options, laneCount: 1 });
Runtime.install({ shutdownSignals: [], logger: new DefaultLogger("ERROR") });
const temporal = await createTemporal({
  address: input.temporalAddress,
  namespace: input.namespace,
  deadlineMs: 10_000,
  logger: SILENT_LOG,
});
const ledger = createLedger({ ...options, laneCount: 1 });
const activities = createActivities({
  db: database.db,
  openLane: database.openLane,
  ledger: input.payInSteps ? { ...ledger, postPair: () => Promise.reject(new DomainError("UNAVAILABLE", "left out by the test")) } : ledger,
  psp: createPsp({ ...input.psp, timeoutMs: PSP_TIMEOUT_MS, logger: SILENT_LOG }),
  logger: SILENT_LOG,
  reportsDir: tmpdir(),
});
process.once("disconnect", () => process.exit(1));
await createSaldoWorkers({
  connection: temporal.connection,
  namespace: temporal.namespace,
  taskQueues: Object.values(TASK_QUEUES),
  bundlePath: input.bundlePath,
  activities: { ...activities, [input.edge.step]: dyingAt(input.edge) },
  cacheSize: 10,
});
process.send?.("running");

function dyingAt({ step, side }: Edge): (argument: never) => Promise<unknown> {
  const work = activities[step] as (argument: never) => Promise<unknown>;
  return async (argument) => {
    if (side === "before") dieOnce();
    try {
      return await work(argument);
    } finally {
      if (side === "after") dieOnce();
    }
  };
}

function dieOnce(): void {
  if (existsSync(input.markerPath)) return;
  writeFileSync(input.markerPath, "");
  process.kill(process.pid, "SIGKILL");
  // The signal comes a moment later: until then the activity must not answer.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
}
