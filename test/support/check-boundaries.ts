import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";

const FOLDERS = ["src", "workflows", "activities", "workers", "drizzle", "test", "bench"];
/** Fewer than this many modules means that the parser read nothing: dependency-cruiser would call that a pass. */
const LEAST_MODULES = 100;

interface Violation {
  readonly rule: { readonly name: string };
  readonly from: string;
  readonly to: string;
  /** The modules of a circle, from the one after `from` back to it. */
  readonly cycle?: readonly { readonly name: string }[];
}

const run = spawnSync("npx", ["depcruise", "--config", ".dependency-cruiser.cjs", "--output-type", "json", ...FOLDERS], {
  encoding: "utf8",
  maxBuffer: 256 * 1024 * 1024,
});
if (run.stdout === "") throw new Error(`dependency-cruiser printed nothing: ${run.stderr}`);
const { summary } = JSON.parse(run.stdout) as { summary: { totalCruised: number; violations: Violation[] } };
const violations = summary.violations.filter(
  (violation) => !(violation.rule.name.endsWith(":types-only") && importsTypesOnly(violation)) && !isCircleOfTypes(violation),
);

for (const { rule, from, to } of violations) console.error(`${rule.name}: ${from} -> ${to}`);
if (summary.totalCruised < LEAST_MODULES) console.error(`only ${summary.totalCruised} modules were cruised: the check proved nothing`);
console.log(`${summary.totalCruised} modules cruised, ${violations.length} violations`);
process.exit(violations.length === 0 && summary.totalCruised >= LEAST_MODULES ? 0 : 1);

// A circle with one `import type` in it does not exist at run time.
function isCircleOfTypes({ from, cycle = [] }: Violation): boolean {
  const modules = [from, ...cycle.map(({ name }) => name)];
  return cycle.length > 0 && modules.slice(1).some((to, place) => importsTypesOnly({ from: modules[place] ?? "", to }));
}

// With verbatimModuleSyntax only `import type` and `export type` are erased as a whole; every statement that names the module must be one.
function importsTypesOnly({ from, to }: Pick<Violation, "from" | "to">): boolean {
  const statements = readFileSync(from, "utf8").matchAll(/^(import|export)\s+(type\s)?[^;]*?from\s+"([^"]+)"/gm);
  const naming = [...statements].filter(
    ([, , , specifier]) => specifier?.startsWith(".") && relative(".", resolve(dirname(from), specifier)) === to,
  );
  return naming.length > 0 && naming.every(([, , type]) => type !== undefined);
}
