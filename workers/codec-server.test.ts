import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const run = (...words: string[]) =>
  spawnSync(process.execPath, ["--import", "tsx", fileURLToPath(new URL("codec-server.ts", import.meta.url)), ...words], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] },
  });

test("the codec server says what it is with --help, also without keys, and takes nothing else", () => {
  const help = run("--help");
  expect({ status: help.status, stderr: help.stderr }).toEqual({ status: 0, stderr: "" });
  expect(help.stdout).toMatch(/^npm run codec-server\n/);
  const wrong = run("--port");
  expect({ status: wrong.status, stdout: wrong.stdout }).toEqual({ status: 2, stdout: "" });
  expect(wrong.stderr).toMatch(/^codec-server: it takes no --port\n/);
});
