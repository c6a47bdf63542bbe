import { resolve } from "node:path";
import type { Config } from "../../config.ts";
import { readRunning } from "../../stack/running.ts";

/** Where the API is: the address given, else that of the system running from the data folder, else the configured port. */
export function findApiUrl(config: Pick<Config, "DATA_DIR" | "HTTP_HOST" | "HTTP_PORT">, given?: string): string {
  if (given !== undefined) return given;
  const host = config.HTTP_HOST.includes(":") ? `[${config.HTTP_HOST}]` : config.HTTP_HOST;
  return readRunning(resolve(config.DATA_DIR))?.apiUrl ?? `http://${host}:${config.HTTP_PORT}`;
}
