import type { ServerEvent } from "./processes/keep-server.ts";
import type { Report } from "./progress.ts";

/** What every embedded server is started with. */
export type ServerContext = {
  readonly dataDir: string;
  readonly cacheDir: string;
  /** True when the data is thrown away afterwards: the server may then be killed at once. */
  readonly ephemeral: boolean;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
  /** Called when the server ends after it was ready, and when it runs again. */
  readonly onServerEvent?: ((event: ServerEvent) => void) | undefined;
};
