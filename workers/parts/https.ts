import type { Logger } from "../../src/adapters/logger.ts";
import type { HttpsOptions } from "../../src/api/http/http-server.ts";
import type { Config } from "../../src/config.ts";

/** The certificate that the configuration names; undefined where requests come over plain HTTP. */
export function httpsOf(config: Pick<Config, "HTTP_TLS_CERT" | "HTTP_TLS_KEY">, log: Logger): HttpsOptions | undefined {
  const { HTTP_TLS_CERT: certPath, HTTP_TLS_KEY: keyPath } = config;
  return certPath === undefined || keyPath === undefined ? undefined : { certPath, keyPath, log };
}
