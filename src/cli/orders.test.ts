import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PROJECT_DIR } from "./start/role-entries.ts";

test.each(["--api", "--url"])("orders takes the API's address by %s", (option) => {
  const address = "http://127.0.0.1:9";
  const { status, stderr } = spawnSync(process.execPath, ["--import", "tsx", "src/cli/orders.ts", "stuck", option, address], {
    cwd: PROJECT_DIR,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], SALDO_TOKEN: "a-token", DATA_DIR: join(PROJECT_DIR, "no-such-folder") },
  });
  expect(stderr).toContain(address);
  expect(status).toBe(1);
});
