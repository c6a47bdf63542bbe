import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startStack, type Stack } from "../../src/stack/stack.ts";

/** Starts one server of the test's own on a free port, with its data in a folder that goes with it. Throws: StackError. */
export function startOwnServer(server: "kafka" | "redis", cacheDir: string): Promise<Stack> {
  return startStack({
    servers: [server],
    required: [server],
    dataDir: mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-${server}-`)),
    cacheDir,
    ephemeral: true,
    ports: "free",
  });
}
