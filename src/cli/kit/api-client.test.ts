import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeThrowawayCa } from "../../../test/support/throwaway-ca.ts";

const COMMAND = fileURLToPath(new URL("../access.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), `saldo-test-${process.pid}-api-client-`));
let server: Server;
let authority: string;

beforeAll(async () => {
  const ca = await makeThrowawayCa(folder);
  const { cert, key } = await ca.issue("server", { commonName: "pay.example", names: ["pay.example"] });
  authority = ca.ca;
  server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What a command says of an API whose certificate is for another name than its address. */
function errorOf(environment: Record<string, string>): Promise<string> {
  const { port } = server.address() as AddressInfo;
  const args = ["--import", "tsx", COMMAND, "end", "anna", "--reason", "left", "--api", `https://127.0.0.1:${port}`];
  const env = { PATH: process.env["PATH"], SALDO_TOKEN: "some.access.token", DATA_DIR: join(folder, "none"), ...environment };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { env }, (_error, _stdout, stderr) => resolve(stderr));
  });
}

test("a command tells a certificate of an unknown authority from one for another name, each with its mend", async () => {
  expect(await errorOf({})).toMatch(/that is not trusted .*NODE_EXTRA_CA_CERTS=FILE names the authority/);
  const known = await errorOf({ NODE_EXTRA_CA_CERTS: authority });
  expect(known).toMatch(/for another name .*--api takes/);
  expect(known).not.toContain("NODE_EXTRA_CA_CERTS");
});
