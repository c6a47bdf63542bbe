import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServerContext } from "../server-context.ts";
import { buildInCache } from "./build-in-cache.ts";
import { copyArtifacts, requireJava } from "./maven.ts";

const VERSION = "1.38.0";
/** The name of the test server's folder in the cache. */
export const TIME_SKIPPING_CACHE_NAME = `temporal-test-server-${VERSION}`;

// Paths are taken from the script's own place, because the folder is built under another name.
const WRAPPER = `#!/bin/sh
exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(dirname "$0")/jars/*" io.temporal.testserver.TestServer "$@"
`;

/**
 * The path of a program that behaves as Temporal's time-skipping test server, for
 * `TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: "existing-path", path } } })`.
 * It is fetched from Maven Central once. Throws: TOOL_MISSING without Java, or without Maven and a cached copy.
 */
export async function findTimeSkippingServer(context: ServerContext): Promise<string> {
  context.report("resolving", "looking for Temporal's time-skipping test server");
  await requireJava("Temporal's time-skipping test server");
  const { directory, built } = await buildInCache({
    cacheDir: context.cacheDir,
    name: TIME_SKIPPING_CACHE_NAME,
    signal: context.signal,
    onWait: () => context.report("building", "waiting for another process that fetches the test server"),
    build: async (unfinished) => {
      context.report("building", `fetching temporal-test-server ${VERSION} from Maven Central`, "registry");
      await copyArtifacts({
        title: "Temporal's time-skipping test server",
        artifacts: [`io.temporal:temporal-test-server:${VERSION}`],
        directory: join(unfinished, "jars"),
        cacheDir: context.cacheDir,
        signal: context.signal,
      });
      const wrapper = join(unfinished, "temporal-test-server");
      await writeFile(wrapper, WRAPPER);
      await chmod(wrapper, 0o755);
    },
  });
  context.report("ready", `temporal-test-server ${VERSION}`, built ? "registry" : "cache");
  return join(directory, "temporal-test-server");
}
