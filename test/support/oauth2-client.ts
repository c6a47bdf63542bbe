import { execFile } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { runCommand } from "../../src/stack/processes/run-command.ts";
import { buildInCache } from "../../src/stack/servers/build-in-cache.ts";
import { findGo } from "../../src/stack/servers/temporal-binary.ts";

const SOURCE = join(import.meta.dirname, "oauth2-client");
const RUN_MS = 60_000;

/** Go's OAuth2 client (golang.org/x/oauth2), built once: it gets a token and makes a deposit for `anna`, and prints the status and the body. */
export async function buildOauth2Client(cacheDir: string): Promise<(env: Readonly<Record<string, string>>) => Promise<string>> {
  const { directory } = await buildInCache({
    cacheDir,
    name: "oauth2-client-0.34.0",
    build: async (unfinished) => {
      const go = await findGo();
      if (go === undefined) throw new Error("there is no Go");
      // Go writes into no folder of the project.
      cpSync(SOURCE, unfinished, { recursive: true });
      await runCommand(go, ["build", "-mod=readonly", "-o", "client", "."], { cwd: unfinished });
    },
  });
  return async (env) => {
    const { stdout } = await promisify(execFile)(join(directory, "client"), { env: { ...process.env, ...env }, timeout: RUN_MS }).catch(
      (error: unknown) => error as { readonly stdout: string },
    );
    return stdout.trim();
  };
}
