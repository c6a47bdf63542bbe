import { compareVersions } from "./version.ts";

export type Facts = {
  readonly nodeVersion: string;
  /** Paths of programs on PATH, or undefined. */
  readonly programs: Readonly<Record<"temporal" | "go" | "java" | "mvn" | "redis" | "docker", string | undefined>>;
  readonly javaVersion: string | undefined;
  /** Whether each server is in the cache already. */
  readonly cached: Readonly<Record<"temporal" | "kafka" | "redis" | "timeSkipping", boolean>>;
  /** PostgreSQL as it would be started, or why it cannot be. */
  readonly postgres: { readonly found: string } | { readonly missing: string };
  /** What stands at DATABASE_URL; undefined where it is not set. */
  readonly database?: { readonly trouble: string | undefined; readonly isPooled: boolean; readonly hasAdminUrl: boolean } | undefined;
  /** Each server of the environment that is spoken to over TLS: why that does not come about, and when this client's certificate ends. */
  readonly tls?: readonly { readonly server: string; readonly trouble: string | undefined; readonly endsAt: Date | undefined }[];
  /** Whether what Temporal keeps is encrypted, in words, or why the keys cannot be used; undefined where the configuration cannot be read. */
  readonly payloads?: { readonly words: string } | { readonly trouble: string } | undefined;
  /** The payment provider by kind and host; undefined where the configuration cannot be read. */
  readonly provider?: string | undefined;
  /** The servers of the system that runs here, and the payment provider where one is known: whether something answers there. */
  readonly reached?: readonly { readonly server: string; readonly address: string; readonly trouble: string | undefined }[];
  /** Addresses that the environment gives instead of starting a server. */
  readonly external: Readonly<Record<"postgres" | "temporal" | "kafka" | "redis" | "psp", boolean>>;
  readonly ports: readonly { readonly server: string; readonly variable: string; readonly port: number; readonly free: boolean }[];
  /** The process that runs a system from the configured data folder. */
  readonly runningPid: number | undefined;
  readonly configProblems: readonly string[];
  /** Variables of the earlier service that are set here and that nothing reads. */
  readonly formerVariables: readonly string[];
  /** Postgres clusters outside of their data folder whose data folder cannot be seen; `dataDir` is undefined where it is not known. */
  readonly clustersWithoutOwner: readonly { readonly folder: string; readonly dataDir: string | undefined }[];
};

export type Finding = {
  readonly name: string;
  readonly state: "ok" | "warning" | "missing";
  readonly detail: string;
  readonly remedy?: string;
};

const LOWEST_NODE = "20.19.0";
const LOWEST_JAVA = 17;

/** The findings about this machine. `npm start` will not run with a `missing`; with a `warning` it runs without a part, or takes longer once. */
export function diagnose(facts: Facts): Finding[] {
  return [
    nodeFinding(facts),
    configFinding(facts),
    ...formerFindings(facts),
    postgresFinding(facts),
    temporalFinding(facts),
    javaFinding(facts),
    mavenFinding(facts),
    kafkaFinding(facts),
    redisFinding(facts),
    ...(facts.tls ?? []).map((each) => tlsFinding(each)),
    ...payloadFindings(facts),
    ...(facts.provider === undefined ? [] : [ok("Payment provider", facts.provider)]),
    ...(facts.reached ?? []).map(reachedFinding),
    timeSkippingFinding(facts),
    dockerFinding(facts),
    ...portFindings(facts),
    ...facts.clustersWithoutOwner.map(clusterFinding),
  ];
}

function nodeFinding({ nodeVersion }: Facts): Finding {
  return compareVersions(nodeVersion, LOWEST_NODE) >= 0
    ? ok("Node", `v${nodeVersion}`)
    : missing("Node", `v${nodeVersion} is older than ${LOWEST_NODE}`, "install Node 20.19 or newer; images use 24");
}

function configFinding({ configProblems }: Facts): Finding {
  return configProblems.length === 0
    ? ok("Configuration", "no problem")
    : missing("Configuration", configProblems.join("; "), "correct the environment or .env; .env.example lists what there is");
}

function formerFindings({ formerVariables }: Facts): Finding[] {
  if (formerVariables.length === 0) return [];
  const names = formerVariables.join(", ");
  return [warning("Earlier settings", `${names}: not read`, "set DATABASE_URL; docs/legacy.md has the list of settings")];
}

function postgresFinding({ external, postgres, database }: Facts): Finding {
  if (database?.trouble !== undefined)
    return missing("Postgres", `DATABASE_URL: ${database.trouble}`, "start it, or correct DATABASE_URL (docs/operations.md)");
  if (database?.isPooled === true)
    return database.hasAdminUrl
      ? ok("Postgres", "DATABASE_URL, through a pooler in transaction mode")
      : warning(
          "Postgres",
          "DATABASE_URL leads through a pooler in transaction mode",
          "set DATABASE_ADMIN_URL to Postgres itself: migrations need a session (docs/operations.md, PgBouncer)",
        );
  if (external.postgres) return ok("Postgres", "DATABASE_URL");
  return "found" in postgres
    ? ok("Postgres", postgres.found)
    : missing("Postgres", postgres.missing, "npm ci (with optional dependencies), or set DATABASE_URL and DATABASE_ADMIN_URL");
}

function temporalFinding({ external, programs, cached }: Facts): Finding {
  if (external.temporal) return ok("Temporal", "TEMPORAL_ADDRESS");
  if (programs.temporal !== undefined) return ok("Temporal", programs.temporal);
  if (cached.temporal) return ok("Temporal", "in the cache");
  if (programs.go !== undefined)
    return warning("Temporal", "not here yet", "the first start downloads it, or builds it with Go in about 4 minutes");
  return missing(
    "Temporal",
    "neither `temporal` nor Go is here",
    "install the Temporal CLI (https://temporal.download) or Go; the first start also tries the vendor's download",
  );
}

function javaFinding({ programs, javaVersion, external }: Facts): Finding {
  if (programs.java === undefined)
    return external.kafka
      ? ok("Java", "none; KAFKA_BROKERS is set")
      : warning("Java", "none: no Kafka, and the tests cannot run", "apt-get install openjdk-17-jre-headless, or set KAFKA_BROKERS");
  const major = Number(/^\d+/.exec(javaVersion ?? "")?.[0] ?? 0);
  return major >= LOWEST_JAVA
    ? ok("Java", `${javaVersion}`)
    : warning("Java", `${javaVersion ?? "unknown"} is older than ${LOWEST_JAVA}: no Kafka`, "apt-get install openjdk-17-jre-headless");
}

function mavenFinding({ programs, cached }: Facts): Finding {
  if (programs.mvn !== undefined) return ok("Maven", programs.mvn);
  const needed = !cached.kafka || !cached.timeSkipping;
  return needed
    ? warning("Maven", "none, and Kafka or the test server is not in the cache", "apt-get install maven")
    : ok("Maven", "none; not needed, the cache is full");
}

function kafkaFinding({ external, cached, programs }: Facts): Finding {
  if (external.kafka) return ok("Kafka", "KAFKA_BROKERS");
  if (programs.java === undefined)
    return warning("Kafka", "needs Java", "install Java, or set KAFKA_BROKERS; without it events wait in the outbox");
  if (cached.kafka) return ok("Kafka", "in the cache");
  return programs.mvn === undefined
    ? warning("Kafka", "not here and there is no Maven", "apt-get install maven, or set KAFKA_BROKERS")
    : ok("Kafka", "the first start fetches it (half a minute)");
}

function redisFinding({ external, programs, cached }: Facts): Finding {
  if (external.redis) return ok("Redis", "REDIS_URL");
  if (programs.redis !== undefined) return ok("Redis", programs.redis);
  if (cached.redis) return ok("Redis", "in the cache");
  return programs.mvn === undefined
    ? warning("Redis", "not here and there is no Maven", "apt-get install redis-server, or set REDIS_URL; without it nothing is cached")
    : ok("Redis", "the first start fetches it");
}

function timeSkippingFinding({ cached, programs }: Facts): Finding {
  if (cached.timeSkipping) return ok("Temporal test server", "in the cache");
  return programs.mvn === undefined || programs.java === undefined
    ? warning("Temporal test server", "needs Java and Maven; only the tests use it", "apt-get install maven openjdk-17-jre-headless")
    : ok("Temporal test server", "the first test run fetches it");
}

function dockerFinding({ programs }: Facts): Finding {
  return ok("Docker", programs.docker ?? "none; only `docker compose up` needs it");
}

function portFindings({ ports, runningPid, external }: Facts): Finding[] {
  if (runningPid !== undefined) return [ok("Ports", `Saldo runs here as process ${runningPid}`)];
  const wanted = ports.filter(({ server }) => !(server in external && external[server as keyof Facts["external"]]));
  const taken = wanted.filter((port) => !port.free && port.port !== 0);
  if (taken.length === 0) return [ok("Ports", wanted.map(({ port }) => port).join(", "))];
  return taken.map(({ server, port, variable }) =>
    missing(
      `Port ${port}`,
      `taken by another process; ${server === "psp" ? "the payment provider" : server} wants it`,
      `stop that process, or set ${variable}`,
    ),
  );
}

function payloadFindings({ payloads }: Facts): Finding[] {
  if (payloads === undefined) return [];
  return "words" in payloads
    ? [ok("Payload encryption", payloads.words)]
    : [missing("Payload encryption", payloads.trouble, "docs/security.md, What Temporal keeps")];
}

function reachedFinding({ server, address, trouble }: NonNullable<Facts["reached"]>[number]): Finding {
  return trouble === undefined
    ? ok(server, `${address} is reachable`)
    : warning(
        server,
        `${address} does not answer: ${trouble}`,
        "what that means and what to do: docs/operations.md, When a server is away",
      );
}

const CERTIFICATE_WARNING_DAYS = 14;
const DAY_MS = 86_400_000;

function tlsFinding({ server, trouble, endsAt }: NonNullable<Facts["tls"]>[number], nowMs = Date.now()): Finding {
  const name = `TLS of ${server}`;
  if (trouble !== undefined) return missing(name, trouble, "docs/connecting.md says what to set");
  if (endsAt === undefined) return ok(name, "checked, without a certificate of our own");
  const day = endsAt.toISOString().slice(0, 10);
  return endsAt.getTime() - nowMs < CERTIFICATE_WARNING_DAYS * DAY_MS
    ? warning(
        name,
        `checked; our certificate ends on ${day}`,
        server === "Temporal" ? "renew it and restart the roles" : "renew it; new connections take it without a restart",
      )
    : ok(name, `checked; our certificate ends on ${day}`);
}

function clusterFinding({ folder, dataDir }: Facts["clustersWithoutOwner"][number]): Finding {
  const owner = dataDir === undefined ? "a data folder that is not known" : `${dataDir}, which is not there`;
  const remedy = `mount the disk of the data folder if it has one of its own; else rm -r ${folder}, as its passwords are gone`;
  return warning("Old Postgres data", `${folder} belongs to ${owner}`, remedy);
}

function ok(name: string, detail: string): Finding {
  return { name, state: "ok", detail };
}

function warning(name: string, detail: string, remedy: string): Finding {
  return { name, state: "warning", detail, remedy };
}

function missing(name: string, detail: string, remedy: string): Finding {
  return { name, state: "missing", detail, remedy };
}
