import type { Report } from "./progress.ts";

/** What every embedded server is started with. */
export type ServerContext = {
  readonly dataDir: string;
  readonly cacheDir: string;
  /** True when the data is thrown away afterwards: the server may then be stopped without ceremony. */
  readonly ephemeral: boolean;
  readonly report: Report;
  readonly signal?: AbortSignal | undefined;
};
