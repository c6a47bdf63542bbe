import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["{src,workflows,activities,workers,drizzle,test,deploy}/**/*.test.ts", "*.test.ts"],
    exclude: ["**/node_modules/**", "bench/**"],
    // Temporal's native core keeps one runtime per process, so each test file gets a process.
    pool: "forks",
    maxWorkers: 2,
    globalSetup: ["test/support/servers.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
  },
});
