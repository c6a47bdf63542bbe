export type ServerName = "postgres" | "temporal" | "kafka" | "redis" | "time-skipping";
export type ProgressState = "resolving" | "building" | "starting" | "ready" | "missing" | "failed";

/** Where a server came from: `environment`, `path`, `cache`, `package`, `registry` or `vendor`. */
export type ServerSource = "environment" | "path" | "cache" | "package" | "registry" | "vendor";

export type ServerProgress = {
  readonly server: ServerName;
  readonly state: ProgressState;
  readonly detail: string;
  readonly elapsedMs: number;
  readonly source?: ServerSource;
};

export type Report = (state: ProgressState, detail: string, source?: ServerSource) => void;

/** A reporter for one server that adds the name and the time since it was made. */
export function progressReporter(server: ServerName, onProgress: (event: ServerProgress) => void): Report {
  const startedAtMs = performance.now();
  return (state, detail, source) => {
    onProgress({
      server,
      state,
      detail,
      elapsedMs: Math.round(performance.now() - startedAtMs),
      ...(source === undefined ? {} : { source }),
    });
  };
}

/** The server's name for people. */
export function serverTitle(server: ServerName): string {
  switch (server) {
    case "postgres":
      return "Postgres";
    case "temporal":
      return "Temporal";
    case "kafka":
      return "Kafka";
    case "redis":
      return "Redis";
    case "time-skipping":
      return "Temporal test server";
  }
}
