import { spawnSync } from "node:child_process";

const FOLDERS = ["src", "workflows", "activities", "workers", "drizzle", "test", "bench"];
/** Fewer than this many modules means that the parser read nothing: dependency-cruiser would call that a pass. */
const LEAST_MODULES = 100;

const run = spawnSync("npx", ["depcruise", "--config", ".dependency-cruiser.cjs", "--output-type", "json", ...FOLDERS], {
  encoding: "utf8",
  maxBuffer: 256 * 1024 * 1024,
});
if (run.stdout === "") throw new Error(`dependency-cruiser printed nothing: ${run.stderr}`);
const { summary } = JSON.parse(run.stdout) as {
  summary: { totalCruised: number; violations: { rule: { name: string }; from: string; to: string }[] };
};
for (const violation of summary.violations) console.error(`${violation.rule.name}: ${violation.from} -> ${violation.to}`);
if (summary.totalCruised < LEAST_MODULES) console.error(`only ${summary.totalCruised} modules were cruised: the check proved nothing`);
console.log(`${summary.totalCruised} modules cruised, ${summary.violations.length} violations`);
process.exit(summary.violations.length === 0 && summary.totalCruised >= LEAST_MODULES ? 0 : 1);
