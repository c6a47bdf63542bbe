import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, readdir, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { TlsFiles } from "../../base/tls-files.ts";
import { canConnect, freePort, parseAddress } from "../free-port.ts";
import { keepServer } from "../processes/keep-server.ts";
import { spawnServer, untilReady } from "../processes/process.ts";
import { findOnPath, runCommand } from "../processes/run-command.ts";
import type { ServerSource } from "../progress.ts";
import type { ServerContext } from "../server-context.ts";
import { StackError, sentenceOf } from "../stack-error.ts";
import { buildInCache } from "./build-in-cache.ts";
import { copyArtifacts, requireJava } from "./maven.ts";
import { prepareKafka } from "./prepared-kafka.ts";
import { requireTls } from "./require-tls.ts";
import type { SecuredServer } from "./secured-server.ts";

export type RunningKafka = { readonly brokers: readonly string[]; stop(): Promise<void> };

const VERSION = "4.1.1";
/** The name of Kafka's folder in the cache. */
export const KAFKA_CACHE_NAME = `kafka-${VERSION}`;
const READY_TIMEOUT_MS = 60_000;
/**
 * Kafka runs in its folder and is told its files by their names there: a path of the data folder would be read as Latin-1 out of
 * server.properties, and as two folders where it has a comma. In the locale `C`, which service managers have, Java cannot even name the
 * folder it runs in when its path is not ASCII.
 */
const IN_UTF8 = { LC_ALL: "C.UTF-8" };
/**
 * A broker of one machine holds some megabytes of live data and leaves its messages to the page cache. It gives back what a burst took, and is
 * compiled once: the second compiler costs more in the first minutes than its code saves here.
 */
const JVM_MEMORY = [
  "-Xms48m",
  "-Xmx384m",
  "-XX:+UseSerialGC",
  "-XX:MinHeapFreeRatio=20",
  "-XX:MaxHeapFreeRatio=40",
  "-XX:TieredStopAtLevel=1",
  "-XX:ReservedCodeCacheSize=48m",
  "-Xss512k",
];
/** The folder takes its name only when it is whole: a start that is cut short leaves no half-formatted folder behind. */
const UNFINISHED = "data.new";
const LOG4J = "-Dlog4j2.configurationFile=log4j2.properties";

/**
 * Starts one Kafka broker (KRaft, no ZooKeeper) on the loopback port with its data in `dataDir`.
 * Safe to retry: topics, messages and group offsets of an earlier start are there again.
 * Throws: TOOL_MISSING without Java, or without Maven and a cached copy; SERVER_FAILED.
 */
export async function startKafka(
  context: ServerContext,
  options: { port: number; secured?: SecuredKafka | undefined },
): Promise<RunningKafka> {
  context.report("resolving", "looking for Kafka");
  const java = await requireJava("Kafka");
  const { jars, source } = await findJars(context);
  const detail = `Kafka ${VERSION} on port ${options.port}`;
  context.report("starting", detail, source);
  const home = join(context.dataDir, "kafka");
  const classPath = ["-cp", join(jars, "*")];
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(join(home, "log4j2.properties"), LOGGING);
  const { secured } = options;
  const ports = { port: options.port, controllerPort: await freePort(), innerPort: await freePort(), secured };
  // A keystore in PEM is one file with the key and the certificate.
  if (secured !== undefined) {
    const [key, cert] = await Promise.all([readFile(secured.files.key), readFile(secured.files.cert)]);
    await writeFile(join(home, KEYSTORE), Buffer.concat([key, cert]), { mode: 0o600 });
  }
  await writeFile(join(home, "server.properties"), serverProperties({ ...ports, logDir: "data" }));
  const prepared = await prepareKafka(context, {
    java,
    jars,
    train: (jvm, folder) => trainKafka({ context, java, classPath, home: folder, jvm }),
  });
  context.report("starting", detail, source);
  if (!existsSync(join(home, "data"))) {
    const { bootstrap } = prepared;
    if (bootstrap === undefined || secured !== undefined) await formatStorage({ context, java, classPath, home, ports });
    else await copyStorage(home, bootstrap);
  }

  const launch = async (signal: AbortSignal) => {
    const server = await spawnServer({
      name: "kafka",
      command: java,
      args: [
        ...JVM_MEMORY,
        ...prepared.jvm,
        "-Djava.awt.headless=true",
        // The codecs unpack their native libraries there, and a killed broker leaves them behind.
        `-Djava.io.tmpdir=${home}`,
        LOG4J,
        ...classPath,
        "kafka.Kafka",
        "server.properties",
      ],
      dataDir: context.dataDir,
      stopSteps: context.ephemeral ? [] : [{ signal: "SIGTERM", graceMs: 15_000 }],
      cwd: home,
      env: IN_UTF8,
    });
    const check = async () => /Kafka Server started/.test(server.logText());
    return untilReady(server, { title: "Kafka", timeoutMs: READY_TIMEOUT_MS, signal, check });
  };
  const stop = await keepServer({ server: "kafka", signal: context.signal, onEvent: context.onServerEvent, launch });
  context.report("ready", detail, source);
  return { brokers: [`127.0.0.1:${options.port}`], stop };
}

/**
 * Checks the Kafka that the environment names (`host:port`, comma separated): one broker that answers is enough.
 * Throws: ADDRESS_UNREACHABLE.
 */
export async function useKafka(context: ServerContext, brokers: readonly string[], tls?: TlsFiles): Promise<RunningKafka> {
  const text = brokers.join(",");
  context.report("resolving", `${text} of KAFKA_BROKERS`, "environment");
  const answers = await Promise.all(brokers.map((broker) => canConnect(parseAddress(broker, 9092), 5_000)));
  if (!answers.includes(true)) throw new StackError("ADDRESS_UNREACHABLE", `Kafka does not answer at ${text} (KAFKA_BROKERS).`);
  const first = brokers[answers.indexOf(true)];
  if (tls !== undefined && first !== undefined)
    await requireTls({ ...parseAddress(first, 9092), talk: "kafka", files: tls }, "KAFKA_BROKERS");
  context.report("ready", `${text} of KAFKA_BROKERS`, "environment");
  return { brokers, stop: async () => undefined };
}

async function findJars(context: ServerContext): Promise<{ jars: string; source: ServerSource }> {
  const onPath = await jarsOfInstalledKafka();
  if (onPath !== undefined) return { jars: onPath, source: "path" };
  const { directory, built } = await buildInCache({
    cacheDir: context.cacheDir,
    name: KAFKA_CACHE_NAME,
    signal: context.signal,
    onWait: () => context.report("building", "waiting for another process that fetches Kafka"),
    build: async (unfinished) => {
      context.report("building", `fetching Kafka ${VERSION} from Maven Central, about half a minute, once`, "registry");
      // Kafka logs through slf4j 1.7; without the bridge to its log4j2 it would log nothing at all.
      const artifacts = [`org.apache.kafka:kafka_2.13:${VERSION}`, "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"] as const;
      await copyArtifacts({
        title: "Kafka",
        artifacts,
        directory: join(unfinished, "jars"),
        cacheDir: context.cacheDir,
        signal: context.signal,
      });
    },
  });
  return { jars: join(directory, "jars"), source: built ? "registry" : "cache" };
}

// An installed Kafka keeps its jars beside its scripts. Versions before 4 log in another way and are not used.
async function jarsOfInstalledKafka(): Promise<string | undefined> {
  const script = (await findOnPath("kafka-server-start.sh")) ?? (await findOnPath("kafka-server-start"));
  if (script === undefined) return undefined;
  try {
    const libs = join(dirname(dirname(await realpath(script))), "libs");
    const names = await readdir(libs);
    return names.some((name) => /^kafka_2\.13-[4-9]\./.test(name)) ? libs : undefined;
  } catch {
    return undefined;
  }
}

/** A new id of a cluster, as text. It does not begin with a dash, which the formatting tool would take for an option. */
export function newClusterId(random: () => Buffer = () => randomBytes(16)): string {
  for (;;) {
    const id = random().toString("base64url");
    if (!id.startsWith("-")) return id;
  }
}

/** Does what the formatting tool does, without a JVM of its own: new ids beside what is the same in every new cluster. */
async function copyStorage(home: string, bootstrap: string): Promise<void> {
  const unfinished = join(home, UNFINISHED);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  await copyFile(bootstrap, join(unfinished, basename(bootstrap)));
  const ids = `version=1\nnode.id=1\ncluster.id=${newClusterId()}\ndirectory.id=${newClusterId()}\n`;
  await writeFile(join(unfinished, "meta.properties"), ids);
  await rename(unfinished, join(home, "data"));
}

async function formatStorage(options: {
  context: ServerContext;
  java: string;
  classPath: readonly string[];
  home: string;
  ports: KafkaPorts;
}): Promise<void> {
  const { home } = options;
  await rm(join(home, UNFINISHED), { recursive: true, force: true });
  const config = "format.properties";
  await writeFile(join(home, config), serverProperties({ ...options.ports, logDir: UNFINISHED }));
  const clusterId = newClusterId();
  try {
    await runCommand(
      options.java,
      [
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        LOG4J,
        ...options.classPath,
        "kafka.tools.StorageTool",
        "format",
        "-t",
        clusterId,
        "-c",
        config,
        ...(options.ports.secured?.scramUsers ?? []).flatMap((scramUser) => ["--add-scram", scramUser]),
      ],
      { signal: options.context.signal, cwd: home, env: IN_UTF8 },
    );
  } catch (error) {
    throw new StackError("SERVER_FAILED", `Kafka could not make its data folder: ${sentenceOf(error)}`);
  }
  await rename(join(home, UNFINISHED), join(home, "data"));
  await rm(join(home, config), { force: true });
}

/** Runs a Kafka of its own in `home` until it is up, and ends it in peace: the JVM then writes what `jvm` asks of it. */
async function trainKafka(options: {
  context: ServerContext;
  java: string;
  classPath: readonly string[];
  home: string;
  jvm: readonly string[];
}): Promise<void> {
  const { java, classPath, home, context } = options;
  const ports = { port: await freePort(), controllerPort: await freePort(), innerPort: await freePort(), secured: undefined };
  await writeFile(join(home, "log4j2.properties"), LOGGING);
  await writeFile(join(home, "server.properties"), serverProperties({ ...ports, logDir: "data" }));
  await formatStorage({ context, java, classPath, home, ports });
  const server = await spawnServer({
    name: "kafka",
    command: java,
    args: [...JVM_MEMORY, ...options.jvm, "-Djava.awt.headless=true", LOG4J, ...classPath, "kafka.Kafka", "server.properties"],
    dataDir: home,
    stopSteps: [{ signal: "SIGTERM", graceMs: READY_TIMEOUT_MS }],
    cwd: home,
    env: IN_UTF8,
  });
  const check = async () => /Kafka Server started/.test(server.logText());
  await untilReady(server, { title: "Kafka", timeoutMs: READY_TIMEOUT_MS, signal: context.signal, check });
  await server.stop();
}

/** Kafka with TLS; `scramUsers` as its formatting tool takes them: `SCRAM-SHA-256=[name=a,password=b]`. */
export interface SecuredKafka extends SecuredServer {
  readonly scramUsers?: readonly string[];
}

interface KafkaPorts {
  readonly port: number;
  readonly controllerPort: number;
  /** Of the listener by which a secured broker speaks to itself. */
  readonly innerPort: number;
  readonly secured: SecuredKafka | undefined;
}

const KEYSTORE = "keystore.pem";

/** TLS, and a certificate of each client; a listener with a login wants no certificate beside it. */
function securedProperties({ port, controllerPort, innerPort, secured }: KafkaPorts): Record<string, string> {
  if (secured === undefined) return {};
  const { files, settings = {} } = secured;
  const protocol = settings["sasl.enabled.mechanisms"] === undefined ? "SSL" : "SASL_SSL";
  const outside = `OUTSIDE://127.0.0.1:${port},INNER://127.0.0.1:${innerPort}`;
  return {
    listeners: `${outside},CONTROLLER://127.0.0.1:${controllerPort}`,
    "advertised.listeners": outside,
    "listener.security.protocol.map": `OUTSIDE:${protocol},INNER:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    "inter.broker.listener.name": "INNER",
    "ssl.keystore.type": "PEM",
    "ssl.keystore.location": KEYSTORE,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.location": files.ca,
    "ssl.client.auth": protocol === "SSL" ? "required" : "none",
    ...settings,
  };
}

function serverProperties(options: KafkaPorts & { logDir: string }): string {
  const settings: Record<string, string | number | boolean> = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.quorum.voters": `1@127.0.0.1:${options.controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${options.port},CONTROLLER://127.0.0.1:${options.controllerPort}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${options.port}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "log.dirs": options.logDir,
    "num.partitions": 4,
    "auto.create.topics.enable": false,
    "delete.topic.enable": true,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    // A killed broker may register again only when its former session has ended, by default after 9 s.
    "broker.session.timeout.ms": 3_000,
    "broker.heartbeat.interval.ms": 500,
    // The offsets of a bridge that was off for a while must be kept: without them it would begin the topic again.
    "offsets.retention.minutes": 525_600,
    // By default an idle controller writes a record to its own log every half second, so that other controllers see it is there.
    "metadata.max.idle.interval.ms": 5_000,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "log.cleaner.dedupe.buffer.size": 16_777_216,
    "initial.broker.registration.timeout.ms": 30_000,
    ...securedProperties(options),
  };
  return `${Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join("\n")}\n`;
}

// Below WARN only the line "Kafka Server started" is logged, by which the start notices that the broker is up.
const LOGGING = `status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %c{1} %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.started.name=kafka.server.KafkaRaftServer
logger.started.level=info
`;
