import { defineConfig } from "vitest/config";
import { enterRunFolder } from "./test/support/run-folder.ts";

// Other tools read this file too (knip); only vitest sets VITEST before it does.
if (process.env["VITEST"] === "true") enterRunFolder();

// Set by .ci/run, which prints the closing figures from this file.
const resultsFile = process.env["SALDO_TEST_RESULTS"];

export default defineConfig({
  test: {
    reporters: resultsFile === undefined ? ["default"] : ["default", ["json", { outputFile: resultsFile }]],
    include: ["{src,workflows,activities,workers,drizzle,test,deploy,bench}/**/*.test.ts", "*.test.ts"],
    exclude: ["**/node_modules/**"],
    // Temporal's native core keeps one runtime per process, so each test file gets a process.
    pool: "forks",
    maxWorkers: 2,
    // A hiccup of a shared machine is told apart from a defect by trying again, and CI names what it had to try again.
    retry: resultsFile === undefined ? 0 : 1,
    // The core tells of each timer that outlives its worker; with a backtrace for each the failures could not be found among them.
    env: { RUST_BACKTRACE: "0" },
    globalSetup: ["test/support/servers.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
  },
});
