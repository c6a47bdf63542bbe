import { existsSync } from "node:fs";
import { join } from "node:path";
import { canConnect } from "../free-port.ts";
import { spawnServer, untilReady, type ServerProcess } from "../processes/process.ts";
import { findOnPath, runCommand, tryCommand } from "../processes/run-command.ts";
import { buildInCache } from "./build-in-cache.ts";

const VERSION = "1.15.10";
const AIOHTTP_VERSION = "3.14.5";
const READY_TIMEOUT_MS = 60_000;

// Its own start listens on every address and keeps its book in one file of /tmp for all who run it.
const LAUNCH = `
import sys
from aiohttp import web
from localstripe import resources, server
resources.Store.dump_to_disk = lambda self: None
web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
`;

/**
 * localstripe, which keeps the state of payments, refunds and cards as Stripe does and sends signed webhooks. It knows no Idempotency-Key,
 * no dispute and no payment_intent.canceled; its book is lost with it. Installed from PyPI the first time. Undefined where there is
 * neither an installation nor a Python with venv.
 * Throws: Error when it cannot be installed, SERVER_FAILED.
 */
export async function startLocalstripe(options: { cacheDir: string; dataDir: string; port: number }): Promise<ServerProcess | undefined> {
  const { cacheDir, dataDir, port } = options;
  const python = await findOnPath("python3");
  if (python === undefined) return undefined;
  const version = (await tryCommand(python, ["-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"]))?.trim();
  if (version === undefined) return undefined;
  // An environment belongs to the Python that made it.
  const name = `localstripe-${VERSION}-python-${version}`;
  const { directory } = await buildInCache({
    cacheDir,
    name,
    build: async (unfinished) => {
      await runCommand(python, ["-m", "venv", unfinished]);
      const packages = [`localstripe==${VERSION}`, `aiohttp==${AIOHTTP_VERSION}`];
      await runCommand(join(unfinished, "bin", "python"), ["-m", "pip", "install", "--no-input", "--quiet", ...packages]);
    },
  });
  const program = join(directory, "bin", "python");
  if (!existsSync(program)) return undefined;
  const server = await spawnServer({ name: "localstripe", command: program, args: ["-c", LAUNCH, String(port)], dataDir, stopSteps: [] });
  return untilReady(server, {
    title: "localstripe",
    timeoutMs: READY_TIMEOUT_MS,
    check: () => canConnect({ host: "127.0.0.1", port }, 500),
  });
}
