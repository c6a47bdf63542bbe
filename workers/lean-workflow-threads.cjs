// Loaded into every thread of a role (`node --require`), acts only in the threads in which Temporal's SDK runs workflows. There it saves a
// good part of the processor that workflows take:
//
// * The SDK takes a stack of every promise, for the query `__stack_trace`. Here it takes none, and the query answers that stack traces are
//   not enabled. WORKFLOW_STACK_TRACES=true keeps them, for the search for a workflow that hangs.
// * The SDK bounds the time of each call into a workflow, and Node starts a thread for each bound, some four of them in each activation
//   (the part of a workflow's task between two waits). Here one bound stands around all calls of an activation.
//
// Only methods of the SDK are replaced, and `runInContext` within an activation. `v8.promiseHooks.createHook` must stay as it is: Node 20's
// AsyncLocalStorage is built on it.
const { createRequire } = require("node:module");
const vm = require("node:vm");
const { isMainThread } = require("node:worker_threads");

/** The SDK's default bound. It is there for a workflow that loops without end, which would stop all others of its thread. */
const BOUND_MS = 5_000;

const takesStacks = ["true", "1"].includes(process.env.WORKFLOW_STACK_TRACES);
// A thread knows its script only after its preloads; the SDK installs its hook at the first message, which is later still.
if (!isMainThread) process.nextTick(() => makeLean(process.argv[1] ?? ""));

function makeLean(script) {
  if (!script.endsWith("workflow-worker-thread.js")) return;
  const { GlobalHandlers, BaseVMWorkflow } = classesBeside(script);
  if (!takesStacks && isMethodOf(GlobalHandlers, "setPromiseHook")) GlobalHandlers.prototype.setPromiseHook = () => undefined;
  if (isMethodOf(BaseVMWorkflow, "activate")) boundActivations(BaseVMWorkflow.prototype);
}

// Another version of the SDK may have no such file or no such methods: then nothing is saved and nothing is lost.
function classesBeside(script) {
  try {
    return createRequire(script)("./vm-shared");
  } catch {
    return {};
  }
}

function isMethodOf(aClass, name) {
  return typeof aClass?.prototype[name] === "function";
}

function boundActivations(workflow) {
  const { activate } = workflow;
  const { runInContext } = vm.Script.prototype;
  const bounded = new vm.Script("work()");
  const place = vm.createContext({ work: undefined });
  let isBounded = false;
  let boundMs = BOUND_MS;
  vm.Script.prototype.runInContext = function (context, options) {
    if (isBounded) return runInContext.call(this, context, { ...options, timeout: undefined });
    // The SDK's bound as it is set: each workflow is made by a call of its own, before its first activation.
    boundMs = options?.timeout ?? boundMs;
    return runInContext.call(this, context, options);
  };
  // All calls into the workflow are made before the first wait of `activate`, so they end within the bound or are ended by it.
  workflow.activate = function (activation) {
    let completion;
    place.work = () => void (completion = activate.call(this, activation));
    isBounded = true;
    try {
      runInContext.call(bounded, place, { timeout: boundMs });
      return completion;
    } catch (error) {
      // As `activate` itself answers when a call into the workflow fails: the task has failed, and the server gives it out again.
      return Promise.resolve({ runId: this.activator.info.runId, failed: { failure: this.activator.errorToFailure(error) } });
    } finally {
      isBounded = false;
      place.work = undefined;
    }
  };
}
