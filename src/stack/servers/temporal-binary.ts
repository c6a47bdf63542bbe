import { existsSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findOnPath, runCommand, tryCommand } from "../processes/run-command.ts";
import type { ServerSource } from "../progress.ts";
import type { ServerContext } from "../server-context.ts";
import { sentenceOf, toolMissing } from "../stack-error.ts";
import { buildInCache } from "./build-in-cache.ts";

const TEMPORAL_CLI_VERSION = "1.5.1";
const MODULE = `github.com/temporalio/cli/cmd/temporal@v${TEMPORAL_CLI_VERSION}`;
/** The name of the Temporal CLI's folder in the cache. */
export const TEMPORAL_CACHE_NAME = `temporal-cli-${TEMPORAL_CLI_VERSION}`;
const VENDOR_CONNECT_TIMEOUT_MS = 5_000;
const VENDOR_DOWNLOAD_TIMEOUT_MS = 180_000;
const PROGRESS_EVERY_MS = 1_000;

/**
 * The `temporal` program: on PATH, else in the cache, else downloaded from the vendor, else built by Go (minutes, once).
 * Throws: TOOL_MISSING when none of these is possible.
 */
export async function findTemporalBinary(context: ServerContext): Promise<{ path: string; source: ServerSource }> {
  context.report("resolving", "looking for the Temporal CLI");
  const onPath = await findOnPath("temporal");
  if (onPath !== undefined) return { path: onPath, source: "path" };
  const cached = join(context.cacheDir, TEMPORAL_CACHE_NAME, "temporal");
  if (existsSync(cached)) return { path: cached, source: "cache" };

  let source: ServerSource = "cache";
  const { directory } = await buildInCache({
    cacheDir: context.cacheDir,
    name: TEMPORAL_CACHE_NAME,
    signal: context.signal,
    onWait: () => context.report("building", "waiting for another process that builds the Temporal CLI"),
    build: async (unfinished) => {
      source = (await downloadFromVendor(context, unfinished)) ? "vendor" : "registry";
      if (source === "registry") await buildWithGo(context, unfinished);
    },
  });
  return { path: join(directory, "temporal"), source };
}

async function downloadFromVendor(context: ServerContext, directory: string): Promise<boolean> {
  const architecture = { x64: "amd64", arm64: "arm64" }[process.arch as string];
  if (architecture === undefined || !["linux", "darwin"].includes(process.platform)) return false;
  context.report("resolving", "asking temporal.download for the Temporal CLI", "vendor");
  const url = `https://temporal.download/cli/archive/v${TEMPORAL_CLI_VERSION}?platform=${process.platform}&arch=${architecture}`;
  const abort = new AbortController();
  const connectTimer = setTimeout(() => abort.abort(), VENDOR_CONNECT_TIMEOUT_MS);
  const totalTimer = setTimeout(() => abort.abort(), VENDOR_DOWNLOAD_TIMEOUT_MS);
  const stop = () => abort.abort();
  context.signal?.addEventListener("abort", stop, { once: true });
  try {
    const response = await fetch(url, { signal: abort.signal });
    clearTimeout(connectTimer);
    if (!response.ok) return false;
    context.report("building", "downloading the Temporal CLI", "vendor");
    const archive = join(directory, "archive.tar.gz");
    await writeFile(archive, Buffer.from(await response.arrayBuffer()));
    await runCommand("tar", ["-xzf", archive, "-C", directory, "temporal"], { signal: context.signal });
    await chmod(join(directory, "temporal"), 0o755);
    return (await tryCommand(join(directory, "temporal"), ["--version"]))?.includes(TEMPORAL_CLI_VERSION) === true;
  } catch {
    // Where the vendor cannot be reached the Go build is the answer, not an error.
    return false;
  } finally {
    clearTimeout(connectTimer);
    clearTimeout(totalTimer);
    context.signal?.removeEventListener("abort", stop);
  }
}

/** The path of `go`: on PATH, else where Go's own installer puts it; undefined when it is in neither. */
export async function findGo(): Promise<string | undefined> {
  const installed = "/usr/local/go/bin/go";
  return (await findOnPath("go")) ?? (existsSync(installed) ? installed : undefined);
}

async function buildWithGo(context: ServerContext, directory: string): Promise<void> {
  const go = await findGo();
  if (go === undefined)
    throw toolMissing(
      "Temporal",
      "there is no `temporal` on PATH, temporal.download does not answer and there is no `go` to build it with; install the Temporal CLI (https://temporal.download) or Go, or set TEMPORAL_ADDRESS",
    );
  const startedAtMs = performance.now();
  const tell = () =>
    context.report(
      "building",
      `go install ${MODULE}: ${Math.round((performance.now() - startedAtMs) / 1000)} s, about 4 minutes on two cores, once`,
      "registry",
    );
  tell();
  const timer = setInterval(tell, PROGRESS_EVERY_MS);
  try {
    await runCommand("env", [`GOBIN=${directory}`, go, "install", MODULE], { signal: context.signal });
  } catch (error) {
    throw toolMissing(
      "Temporal",
      `it could not be built (${sentenceOf(error)}); install the Temporal CLI (https://temporal.download), or set TEMPORAL_ADDRESS`,
    );
  } finally {
    clearInterval(timer);
  }
}
