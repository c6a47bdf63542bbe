import { existsSync } from "node:fs";
import { join } from "node:path";
import { canConnect } from "../free-port.ts";
import { spawnServer, untilReady, type ServerProcess } from "../processes/process.ts";
import { runCommand } from "../processes/run-command.ts";
import { buildInCache } from "./build-in-cache.ts";
import { findGo } from "./temporal-binary.ts";

const VERSION = "0.203.0";
const MODULE = `github.com/stripe/stripe-mock@v${VERSION}`;
const READY_TIMEOUT_MS = 60_000;

/**
 * Stripe's own stripe-mock, which checks the form of each request by the published description of Stripe's API and answers with examples:
 * nothing that it is told changes what it answers. Built by Go the first time (a minute). Undefined where there is neither a build nor Go.
 * Throws: Error when it cannot be built, SERVER_FAILED.
 */
export async function startStripeMock(options: { cacheDir: string; dataDir: string; port: number }): Promise<ServerProcess | undefined> {
  const { cacheDir, dataDir, port } = options;
  const go = await findGo();
  const name = `stripe-mock-${VERSION}`;
  if (go === undefined && !existsSync(join(cacheDir, name))) return undefined;
  const { directory } = await buildInCache({
    cacheDir,
    name,
    build: (unfinished) => runCommand("env", [`GOBIN=${unfinished}`, String(go), "install", MODULE]),
  });
  const server = await spawnServer({
    name: "stripe-mock",
    command: join(directory, "stripe-mock"),
    args: ["-http-addr", `127.0.0.1:${port}`],
    dataDir,
    stopSteps: [],
  });
  return untilReady(server, {
    title: "stripe-mock",
    timeoutMs: READY_TIMEOUT_MS,
    check: () => canConnect({ host: "127.0.0.1", port }, 500),
  });
}
