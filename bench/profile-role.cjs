// Loaded into each role by `npm run bench -- --cpuprofile DIR`: Node 20 does not take --cpu-prof from NODE_OPTIONS. One file for each
// process and thread that ends by itself.
const { Session } = require("node:inspector");
const { mkdirSync, writeFileSync } = require("node:fs");
const { basename, join } = require("node:path");
const { threadId } = require("node:worker_threads");

const folder = process.env.SALDO_BENCH_PROFILES;
if (folder !== undefined && folder !== "") {
  const session = new Session();
  session.connect();
  session.post("Profiler.enable");
  session.post("Profiler.start");
  process.once("exit", () => {
    session.post("Profiler.stop", (_error, result) => {
      if (result === undefined) return;
      mkdirSync(folder, { recursive: true });
      const name = basename(process.argv[1] ?? "node").replace(/\.c?[jt]s$/, "");
      writeFileSync(join(folder, `${name}-${process.pid}-${threadId}.cpuprofile`), JSON.stringify(result.profile));
    });
  });
}
