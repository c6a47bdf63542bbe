import type { Logger } from "../../src/adapters/logger.ts";
import { serveMetrics, type MetricsServer } from "../../src/adapters/metrics/metrics-server.ts";
import type { Metrics } from "../../src/adapters/metrics/metrics.ts";
import type { Config } from "../../src/config.ts";

/** Shows the metrics of a role that has no HTTP interface of its own, where the configuration says so. */
export function showMetrics(
  config: Config,
  { metrics, logger }: { readonly metrics: Metrics; readonly logger: Logger },
): Promise<MetricsServer | undefined> {
  return serveMetrics({ metrics, port: config.METRICS_PORT, host: config.METRICS_HOST, token: config.METRICS_TOKEN, log: logger });
}
