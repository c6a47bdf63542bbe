// Loaded into every thread of a role (`node --require`), acts only in the threads in which Temporal's SDK runs workflows.
//
// There the SDK takes a stack of every promise, for the query `__stack_trace`: a good part of the processor that workflows take. Here it
// takes none, and the query answers that stack traces are not enabled. WORKFLOW_STACK_TRACES=true keeps them, for the search for a workflow
// that hangs.
//
// Only a method of the SDK is replaced. `v8.promiseHooks.createHook` must stay as it is: Node 20's AsyncLocalStorage is built on it.
const { createRequire } = require("node:module");
const { isMainThread } = require("node:worker_threads");

const isWanted = !["true", "1"].includes(process.env.WORKFLOW_STACK_TRACES);
// A thread knows its script only after its preloads; the SDK installs its hook at the first message, which is later still.
if (!isMainThread && isWanted) process.nextTick(() => leaveOutStacks(process.argv[1] ?? ""));

function leaveOutStacks(script) {
  if (!script.endsWith("workflow-worker-thread.js")) return;
  const { GlobalHandlers } = handlersBeside(script);
  if (typeof GlobalHandlers?.prototype.setPromiseHook === "function") GlobalHandlers.prototype.setPromiseHook = () => undefined;
}

// Another version of the SDK may have no such file or no such method: then nothing is saved and nothing is lost.
function handlersBeside(script) {
  try {
    return createRequire(script)("./vm-shared");
  } catch {
    return {};
  }
}
