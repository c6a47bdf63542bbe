import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { isLoopbackHost } from "../../base/loopback.ts";
import { matcherOf } from "../../base/same-secret.ts";
import type { Metrics } from "./metrics.ts";

export interface MetricsServer {
  readonly port: number;
  /** Takes no more requests and ends. Safe to retry. */
  close(): Promise<void>;
}

/** The metrics say how much business there is: without a token they are for this machine only. */
export interface MetricsServerOptions {
  readonly metrics: Pick<Metrics, "render">;
  /** Where a role without an HTTP interface shows its metrics; without a port it shows none, 0 is any free port. */
  readonly port: number | undefined;
  readonly host: string;
  /** The bearer token that a request for metrics must carry. */
  readonly token: string | undefined;
  readonly log: { warn(fields: object, message: string): void; info(fields: object, message: string): void };
}

/**
 * Serves `GET /metrics` and `GET /healthz` of a role. A role that cannot open the port logs it and works on without metrics. Returns
 * undefined then, and without a port.
 */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer | undefined> {
  const { metrics, port, host, token, log } = options;
  if (port === undefined) return undefined;
  const mayRead = readersOf(token);
  const server = createServer((request, response) => {
    const answer = (status: number, text: string, type = "text/plain; charset=utf-8") =>
      response.writeHead(status, { "content-type": type, "cache-control": "no-store" }).end(text);
    const [path] = (request.url ?? "").split("?", 1);
    if (request.method !== "GET" && request.method !== "HEAD") return void answer(405, "only GET\n");
    if (path === "/healthz") return void answer(200, '{"status":"ok"}\n', "application/json");
    if (path !== "/metrics") return void answer(404, "there is /metrics and /healthz\n");
    if (!mayRead(request)) return void answer(401, "METRICS_TOKEN is asked for\n");
    return void metrics.render().then(
      (text) => answer(200, text, "text/plain; version=0.0.4; charset=utf-8"),
      () => answer(500, "the metrics could not be read\n"),
    );
  });
  const listening = await new Promise<boolean>((resolve) => {
    server.once("error", (error) => {
      log.warn({ event: "metrics.absent", host, port, err: error }, "the metrics cannot be shown here");
      resolve(false);
    });
    server.listen({ host, port }, () => resolve(true));
  });
  if (!listening) return undefined;
  const bound = (server.address() as AddressInfo).port;
  log.info({ event: "metrics.listening", host, port: bound }, "the metrics are shown");
  return {
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function readersOf(token: string | undefined): (request: IncomingMessage) => boolean {
  if (token === undefined) return ({ headers }) => isLoopbackHost(headers.host);
  const isCollector = matcherOf(`Bearer ${token}`);
  return ({ headers }) => isCollector(headers.authorization ?? "");
}
