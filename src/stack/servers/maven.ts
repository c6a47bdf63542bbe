import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findOnPath, runCommand } from "../processes/run-command.ts";
import { toolMissing } from "../stack-error.ts";
import { withFileLock } from "./build-in-cache.ts";

const DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";

/** `group:artifact:version` of a Maven artifact. */
export type MavenCoordinate = `${string}:${string}:${string}`;

/**
 * Copies the artifacts and, unless `transitive` is false, all they need at run time into `directory`.
 * Locks: one Maven at a time in `cacheDir`, because two that fill one empty local repository spoil it.
 * Throws: TOOL_MISSING without Maven or Java.
 */
export async function copyArtifacts(options: {
  title: string;
  artifacts: readonly MavenCoordinate[];
  directory: string;
  cacheDir: string;
  transitive?: boolean;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const [maven, java] = await Promise.all([findOnPath("mvn"), findOnPath("java")]);
  if (java === undefined)
    throw toolMissing(
      options.title,
      "its files come by Maven, which runs on Java, and there is no `java` on PATH; install both (Debian: apt-get install maven openjdk-17-jre-headless)",
    );
  if (maven === undefined)
    throw toolMissing(
      options.title,
      "its files come from Maven Central and there is no `mvn` on PATH; install Maven (Debian: apt-get install maven)",
    );
  const project = await mkdtemp(join(tmpdir(), "saldo-maven-"));
  try {
    await writeFile(join(project, "pom.xml"), pomOf(options.artifacts));
    await mkdir(options.directory, { recursive: true });
    const args = [
      "-B",
      "-q",
      "-f",
      join(project, "pom.xml"),
      `${DEPENDENCY_PLUGIN}:copy-dependencies`,
      `-DoutputDirectory=${options.directory}`,
      "-DincludeScope=runtime",
      `-DexcludeTransitive=${options.transitive === false}`,
    ];
    await withFileLock({ path: join(options.cacheDir, "maven.lock"), signal: options.signal }, () =>
      runCommand(maven, args, { signal: options.signal }),
    );
  } finally {
    await rm(project, { recursive: true, force: true });
  }
}

/**
 * The path of `java`.
 * Throws: TOOL_MISSING when there is none.
 */
export async function requireJava(title: string): Promise<string> {
  const java = await findOnPath("java");
  if (java === undefined)
    throw toolMissing(
      title,
      "it runs on Java and there is no `java` on PATH; install Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless)",
    );
  return java;
}

function pomOf(artifacts: readonly MavenCoordinate[]): string {
  const dependencies = artifacts.map((coordinate) => {
    const [group, artifact, version] = coordinate.split(":");
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project><modelVersion>4.0.0</modelVersion><groupId>saldo</groupId><artifactId>embedded</artifactId><version>1</version><packaging>pom</packaging><dependencies>${dependencies.join("")}</dependencies></project>\n`;
}
