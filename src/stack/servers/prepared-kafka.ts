import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { ServerContext } from "../server-context.ts";
import { buildInCache } from "./build-in-cache.ts";

const ARCHIVE = "classes.jsa";
/** An archive that a JVM cannot use is no trouble that its log has to tell of. */
const SILENT = ["-Xlog:cds=off", "-Xlog:cds+dynamic=off"];

/** What an earlier Kafka has left in the cache for those that follow. Each part is for speed alone. */
export interface PreparedKafka {
  /** Options by which a JVM takes its classes as they were loaded then: a start costs a third less processor. */
  readonly jvm: readonly string[];
  /** The file that the formatting tool writes for a new cluster, in which nothing belongs to that cluster alone. */
  readonly bootstrap: string | undefined;
}

const NOTHING: PreparedKafka = { jvm: [], bootstrap: undefined };
const BOOTSTRAP = "bootstrap.checkpoint";
/** The SHA-256 of the other files. */
const DIGEST = "digest";

/**
 * What there is for this Java and these jars. The first call makes it by `train`, which formats a data folder `data` in `home`, runs Kafka there
 * with the options it is given, and ends it in peace. Where that fails, and where what is kept is not what was made, Kafka starts as it does
 * without, and a later call makes it anew. Safe to retry, and by many processes at once.
 */
export async function prepareKafka(
  context: ServerContext,
  { java, jars, train }: { java: string; jars: string; train: (jvm: readonly string[], home: string) => Promise<void> },
): Promise<PreparedKafka> {
  try {
    const { directory } = await buildInCache({
      cacheDir: context.cacheDir,
      name: `kafka-prepared-${await keyOf(java, jars)}`,
      signal: context.signal,
      onWait: () => context.report("building", "waiting for another process that prepares Kafka"),
      build: async (unfinished) => {
        context.report("building", "preparing Kafka, some seconds, once");
        const home = await mkdtemp(join(tmpdir(), "saldo-kafka-prepared-"));
        try {
          await train([`-XX:ArchiveClassesAtExit=${join(unfinished, ARCHIVE)}`, ...SILENT], home);
          await copyFile(join(home, "data", BOOTSTRAP), join(unfinished, BOOTSTRAP));
          await writeFile(join(unfinished, DIGEST), await digestOf(unfinished));
        } finally {
          await rm(home, { recursive: true, force: true });
        }
      },
    });
    // A JVM believes an archive by its head: one that was cut off or lost a page aborts it, at its start or an hour later.
    if ((await digestOf(directory)) !== (await readFile(join(directory, DIGEST), "utf8").catch(() => ""))) {
      await rm(directory, { recursive: true, force: true });
      return NOTHING;
    }
    const names = await readdir(directory);
    return {
      jvm: names.includes(ARCHIVE) ? [`-XX:SharedArchiveFile=${join(directory, ARCHIVE)}`, "-Xshare:auto", ...SILENT] : [],
      bootstrap: names.includes(BOOTSTRAP) ? join(directory, BOOTSTRAP) : undefined,
    };
  } catch {
    return NOTHING;
  }
}

async function digestOf(directory: string): Promise<string> {
  const hash = createHash("sha256");
  for (const name of (await readdir(directory)).filter((each) => each !== DIGEST).toSorted()) {
    hash.update(`\0${name}\0`);
    await pipeline(createReadStream(join(directory, name)), hash, { end: false });
  }
  return hash.digest("hex");
}

/** Changes with Java and with the jars. A JVM looks at their times itself, and would leave out in silence an archive of others. */
async function keyOf(java: string, jars: string): Promise<string> {
  const program = await realpath(java);
  const release = await readFile(join(program, "..", "..", "release"), "utf8").catch(() => "");
  const { mtimeMs } = await stat(program);
  const names = (await readdir(jars)).toSorted();
  const found = await Promise.all(names.map(async (name) => `${name} ${(await stat(join(jars, name))).mtimeMs}`));
  return createHash("sha256")
    .update([program, release, mtimeMs, jars, ...found].join("\n"))
    .digest("hex")
    .slice(0, 16);
}
