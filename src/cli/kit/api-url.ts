import { resolve } from "node:path";
import { urlHost } from "../../base/url-host.ts";
import type { Config } from "../../config.ts";
import { readRunning } from "../../stack/running.ts";

/** The API's address: `given`, else that of the system that runs from the data folder, else the configured host and port. */
export function findApiUrl(config: Pick<Config, "DATA_DIR" | "HTTP_HOST" | "HTTP_PORT" | "HTTP_TLS_CERT">, given?: string): string {
  if (given !== undefined) return given;
  const scheme = config.HTTP_TLS_CERT === undefined ? "http" : "https";
  return readRunning(resolve(config.DATA_DIR))?.apiUrl ?? `${scheme}://${urlHost(config.HTTP_HOST)}:${config.HTTP_PORT}`;
}
