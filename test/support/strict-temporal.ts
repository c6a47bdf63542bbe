import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Connection } from "@temporalio/client";
import { inject } from "vitest";
import { freePort } from "../../src/stack/free-port.ts";
import { findTemporalBinary } from "../../src/stack/servers/temporal-binary.ts";
import { until } from "./until.ts";

/** A Temporal of a test's own. */
export interface StrictTemporal {
  readonly address: string;
  stop(): Promise<void>;
}

const READY_WITHIN_MS = 60_000;

/** Starts a Temporal with these settings, `key=JSON`, and its data in memory: for limits that all other tests must not meet. */
export async function startStrictTemporal(settings: readonly string[]): Promise<StrictTemporal> {
  const dataDir = await mkdtemp(join(tmpdir(), `saldo-test-${process.pid}-${randomUUID().slice(0, 8)}`));
  const { path } = await findTemporalBinary({ dataDir, cacheDir: inject("cacheDir"), ephemeral: true, report: () => undefined });
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  const flags = ["--headless", "--disable-config-file", "--disable-config-env", "--ip", "127.0.0.1", "--port", String(port)];
  const values = settings.flatMap((setting) => ["--dynamic-config-value", setting]);
  const server = spawn(path, ["server", "start-dev", ...flags, "--log-level", "error", ...values], { stdio: "ignore" });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  const killAtExit = () => server.kill("SIGKILL");
  process.once("exit", killAtExit);
  const isReady = async () => {
    try {
      const connection = await Connection.connect({ address, connectTimeout: 1_000 });
      await connection.close();
      return true;
    } catch {
      return false;
    }
  };
  await until("the strict Temporal answers", isReady, READY_WITHIN_MS);
  return {
    address,
    async stop() {
      server.kill("SIGKILL");
      await ended;
      process.off("exit", killAtExit);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
