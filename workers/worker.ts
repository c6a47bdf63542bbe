import { untilAborted } from "../src/base/aborted.ts";
import { loadRoleConfig } from "../src/config.ts";
import { TASK_QUEUES } from "../src/contract/task-queues.ts";
import { openRoleParts, watchRole } from "./parts/role-parts.ts";
import { runRole } from "./parts/run-role.ts";
import { showMetrics } from "./parts/show-metrics.ts";

void runRole("worker", async ({ signal, ready }) => {
  const config = loadRoleConfig({ pays: true });
  const parts = await openRoleParts(config, "worker");
  watchRole(parts);
  const metricsServer = await showMetrics(config, parts);
  const workers = await parts.startWorkers(Object.values(TASK_QUEUES));
  parts.logger.info({ event: "worker.ready", taskQueues: Object.values(TASK_QUEUES) }, "the worker takes tasks");
  ready();
  await Promise.race([untilAborted(signal), workers.finished]);
  parts.logger.info({ event: "worker.stopping" }, "the worker takes no new tasks");
  await workers.stop();
  await metricsServer?.close();
  await parts.close();
});
