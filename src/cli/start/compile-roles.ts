import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type OutputFile, type Plugin } from "esbuild";
import { PROJECT_DIR, type RoleEntries } from "./roles.ts";

const PREFIX = "roles-";
const DAY_MS = 24 * 3_600_000;
const UNUSED_AFTER_MS = 30 * DAY_MS;

/**
 * Compiles the files that the roles start from, with all that they import of this project, into JavaScript in `cacheDir`, and returns the
 * compiled entries. Each role then starts without a compiler of its own, which takes a process, a thread and a second of processor for each.
 * The result is kept under the hash of its content, so a change is never missed and a kept one is never read half written; results that no
 * start has used for 30 days are removed. Safe to retry, and by many processes at once.
 * Throws: Error when a source cannot be compiled or the cache cannot be written.
 */
export async function compileRoles(entries: RoleEntries, cacheDir: string): Promise<RoleEntries> {
  const outdir = join(cacheDir, `${PREFIX}unplaced`);
  const { outputFiles } = await build({
    entryPoints: Object.entries(entries).map(([role, entry]) => ({ in: entry, out: role })),
    bundle: true,
    // What comes from npm stays where it is: it holds native code, reads files beside itself, and is found by the link to node_modules.
    packages: "external",
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "linked",
    sourcesContent: false,
    write: false,
    outdir,
    absWorkingDir: PROJECT_DIR,
    plugins: [OWN_ADDRESSES],
    logLevel: "silent",
  });
  const folder = await keep(
    outputFiles.map((file) => ({ path: relative(outdir, file.path), contents: file.contents })),
    cacheDir,
  );
  await removeUnused(cacheDir, folder);
  return Object.fromEntries(Object.keys(entries).map((role) => [role, join(folder, `${role}.js`)])) as RoleEntries;
}

/**
 * Keeps the compiled roles in use for as long as the returned function is not called: a role that dies is started from them again, also after a
 * start of another version has removed what was unused for 30 days.
 */
export function keepInUse(files: RoleEntries, everyMs = DAY_MS): () => void {
  const folder = dirname(files.api);
  if (!basename(folder).startsWith(PREFIX)) return () => undefined;
  const use = () => void utimes(folder, new Date(), new Date()).catch(() => undefined);
  const timer = setInterval(use, everyMs).unref();
  return () => clearInterval(timer);
}

/** Each source goes on finding the files beside itself (migrations, package.json): its `import.meta.url` stays the address of the source. */
const OWN_ADDRESSES: Plugin = {
  name: "own-addresses",
  setup(plugin) {
    plugin.onLoad({ filter: /\.m?ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href));
      return { contents, loader: "ts" };
    });
  },
};

type Compiled = Pick<OutputFile, "path" | "contents">;

async function keep(files: readonly Compiled[], cacheDir: string): Promise<string> {
  const hash = createHash("sha256");
  for (const { path, contents } of files.toSorted((a, b) => (a.path < b.path ? -1 : 1))) hash.update(path).update("\0").update(contents);
  const folder = join(cacheDir, `${PREFIX}${hash.digest("hex").slice(0, 32)}`);
  if (existsSync(folder)) {
    const now = new Date();
    await utimes(folder, now, now);
    return folder;
  }
  const unfinished = join(cacheDir, `.${PREFIX}${randomUUID()}`);
  await mkdir(unfinished, { recursive: true });
  for (const { path, contents } of files) {
    await mkdir(dirname(join(unfinished, path)), { recursive: true });
    await writeFile(join(unfinished, path), contents);
  }
  await writeFile(join(unfinished, "package.json"), JSON.stringify({ type: "module" }));
  await symlink(join(PROJECT_DIR, "node_modules"), join(unfinished, "node_modules"), "junction");
  try {
    await rename(unfinished, folder);
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    // Another start has put the same result in its place.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

async function removeUnused(cacheDir: string, used: string): Promise<void> {
  const names = (await readdir(cacheDir)).filter((name) => name.startsWith(PREFIX) && name !== basename(used));
  for (const folder of names.map((name) => join(cacheDir, name))) {
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > UNUSED_AFTER_MS) await rm(folder, { recursive: true, force: true });
  }
}
