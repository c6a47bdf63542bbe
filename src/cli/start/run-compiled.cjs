// Runs an entry of the compiled roles. A copy of this file lies beside them.
//
// It gives V8 the machine code of the last run of the same entry, which saves more than half of the processor that loading takes, and shows the
// places of the sources in stacks. Node 20 does neither by itself for what a program compiles at run time.
const { readFileSync, renameSync, writeFileSync } = require("node:fs");
const { createRequire, SourceMap } = require("node:module");
const { dirname, join, resolve } = require("node:path");
const { Script, constants } = require("node:vm");
const { threadId } = require("node:worker_threads");

const CODE = join(__dirname, "roles.cjs");
const THREADS = join(__dirname, "threads.cjs");
const MAP = `${CODE}.map`;
/** By then a role has loaded and opened all that it does at its start. */
const KEEP_AFTER_MS = 5_000;

module.exports.runCompiled = (entry) => {
  showSources();
  load(CODE, entry)[entry]();
};

let threads;
/** What the threads that run workflows load. */
module.exports.compiledThreads = () => (threads ??= load(THREADS, "threads"));

function load(code, name) {
  const cache = join(__dirname, `${name}-${process.version}-${process.arch}.cache`);
  const cachedData = readOrNothing(cache);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${readFileSync(code, "latin1")}\n})`, {
    filename: code,
    ...(cachedData === undefined ? {} : { cachedData }),
    importModuleDynamically: constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (cachedData === undefined || script.cachedDataRejected === true) keepSoon(script, cache);
  const compiled = { exports: {} };
  script.runInThisContext()(compiled.exports, createRequire(code), compiled, code, dirname(code));
  return compiled.exports;
}

function readOrNothing(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

// What could not be kept is made again by the next run: a full disk, a folder of somebody else's.
function keepSoon(script, cache) {
  let isKept = false;
  const keep = () => {
    if (isKept) return;
    isKept = true;
    try {
      const unfinished = `${cache}.${process.pid}-${threadId}`;
      writeFileSync(unfinished, script.createCachedData());
      renameSync(unfinished, cache);
    } catch {}
  };
  setTimeout(keep, KEEP_AFTER_MS).unref();
  process.once("exit", keep);
}

function showSources() {
  let map;
  const placeOf = (frame) => {
    const line = frame.getLineNumber();
    const column = frame.getColumnNumber();
    const entry = map.findEntry(line - 1, column - 1);
    if (entry?.originalSource === undefined) return frame.toString();
    const place = `${resolve(__dirname, entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
    return frame.toString().replace(`${CODE}:${line}:${column}`, place);
  };
  const inWords = (frame) => {
    if (frame.getFileName() !== CODE) return frame.toString();
    try {
      map ??= new SourceMap(JSON.parse(readFileSync(MAP, "utf8")));
      return placeOf(frame);
    } catch {
      return frame.toString();
    }
  };
  Error.prepareStackTrace = (error, frames) => {
    let head;
    try {
      head = Error.prototype.toString.call(error);
    } catch {
      head = "Error";
    }
    return [head, ...frames.map((frame) => `    at ${inWords(frame)}`)].join("\n");
  };
}
