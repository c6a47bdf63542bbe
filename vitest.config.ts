import { defineConfig } from "vitest/config";

const resultsFile = process.env["SALDO_TEST_RESULTS"];

export default defineConfig({
  test: {
    reporters: resultsFile === undefined ? ["default"] : ["default", ["json", { outputFile: resultsFile }]],
    include: ["{src,workflows,activities,workers,drizzle,test,deploy}/**/*.test.ts", "*.test.ts"],
    exclude: ["**/node_modules/**", "bench/**"],
    // Temporal's native core keeps one runtime per process, so each test file gets a process.
    pool: "forks",
    maxWorkers: 2,
    globalSetup: ["test/support/servers.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
  },
});
