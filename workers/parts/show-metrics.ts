import type { Logger } from "../../src/adapters/logger.ts";
import { serveMetrics, type MetricsServer } from "../../src/adapters/metrics/metrics-server.ts";
import type { Metrics } from "../../src/adapters/metrics/metrics.ts";
import type { Config } from "../../src/config.ts";

/** Serves the metrics of a role without an HTTP interface of its own, on METRICS_PORT. Undefined when that is not configured. */
export function showMetrics(
  config: Config,
  { metrics, logger }: { readonly metrics: Metrics; readonly logger: Logger },
): Promise<MetricsServer | undefined> {
  return serveMetrics({ metrics, port: config.METRICS_PORT, host: config.METRICS_HOST, token: config.METRICS_TOKEN, log: logger });
}
