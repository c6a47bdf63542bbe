import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleWorkflowCode } from "@temporalio/worker";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));
const FAILURE_CONVERTER = "workflows/failure-converter.cjs";
/** Everything that the bundle is made of. */
const SOURCES = ["workflows", "src/contract", "src/domain", "src/base", FAILURE_CONVERTER, "package-lock.json"];

/**
 * Evaluated once for each worker instead of once for each workflow, with all that they import: tables and patterns take longer to make than
 * a workflow takes to start. Only modules that keep nothing between two calls may stand here, and none that imports the SDK; what they export
 * is frozen.
 */
const PRELOADED = [
  "src/base/errors.ts",
  "src/base/money.ts",
  "src/contract/order-times.ts",
  "src/contract/search-attributes.ts",
  "src/contract/task-queues.ts",
  "src/domain/cards/card.ts",
  "src/domain/cards/foreign-words.ts",
  "src/domain/orders/order-states.ts",
  "src/domain/reservations/reservation-states.ts",
];

/**
 * Builds the bundle of all workflows, once for each content of their sources, and returns its path. A build takes seconds, so all roles
 * of `npm start` share one bundle. Safe to retry, and by many processes at once: the file appears whole.
 */
export async function buildWorkflowBundle(cacheDir: string): Promise<string> {
  const folder = join(cacheDir, "workflow-bundles");
  const path = join(folder, `${await hashOfSources()}.js`);
  if (existsSync(path)) return path;
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(PROJECT, "workflows/index.ts"),
    failureConverterPath: join(PROJECT, FAILURE_CONVERTER),
    preloadModules: PRELOADED.map((file) => join(PROJECT, file)),
    logger: quiet(),
  });
  await mkdir(folder, { recursive: true });
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, code);
  await rename(unfinished, path);
  return path;
}

async function hashOfSources(): Promise<string> {
  const hash = createHash("sha256").update(PRELOADED.join());
  for (const source of SOURCES) for (const file of await filesOf(source)) hash.update(file).update(await readFile(join(PROJECT, file)));
  return hash.digest("hex").slice(0, 32);
}

async function filesOf(source: string): Promise<string[]> {
  if (source.includes(".")) return [source];
  const entries = await readdir(join(PROJECT, source), { recursive: true });
  return entries
    .filter((entry) => entry.endsWith(".ts") && !entry.endsWith(".test.ts"))
    .sort()
    .map((entry) => join(source, entry));
}

// Without this logger webpack's report would appear in the middle of the checklist of `npm start`.
function quiet() {
  const ignore = () => {};
  return {
    log: ignore,
    trace: ignore,
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (message: string) => process.stderr.write(`${message}\n`),
  };
}
