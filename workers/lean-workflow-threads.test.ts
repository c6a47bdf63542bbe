import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const PRELOAD = fileURLToPath(new URL("lean-workflow-threads.cjs", import.meta.url));
/** What the SDK's thread has beside itself, as far as the preload needs it: the method tells that it was called. */
const HANDLERS = `
  const vm = require("node:vm");
  const context = vm.createContext({}, { microtaskMode: "afterEvaluate" });
  const call = (code) => new vm.Script(code).runInContext(context, { timeout: 1_000 });
  exports.GlobalHandlers = class { setPromiseHook() { return "a stack of every promise"; } };
  exports.BaseVMWorkflow = class {
    activator = { info: { runId: "r-1" }, errorToFailure: ({ code, message }) => ({ code, message }) };
    constructor() { call("0"); }
    async activate(codes) {
      const results = codes.map(call);
      await new Promise(setImmediate);
      return results;
    }
  };`;
const THREAD = `
  const { AsyncLocalStorage } = require("node:async_hooks");
  const v8 = require("node:v8");
  const storage = new AsyncLocalStorage();
  const hook = v8.promiseHooks.createHook({ init() {} });
  hook();
  storage.run("kept", () => Promise.resolve().then(() => {
    const stacks = new (require("./vm-shared").GlobalHandlers)().setPromiseHook();
    require("node:worker_threads").parentPort.postMessage({ stacks, storage: storage.getStore() });
  }));`;
/** Three activations of a workflow: how each ended, and how many bounds stood around calls. */
const ACTIVATIONS = `
  const vm = require("node:vm");
  const { runInContext } = vm.Script.prototype;
  let bounds = 0;
  vm.Script.prototype.runInContext = function (context, options) {
    if (options?.timeout !== undefined) bounds += 1;
    return runInContext.call(this, context, options);
  };
  setImmediate(async () => {
    const workflow = new (require("./vm-shared").BaseVMWorkflow)();
    const made = bounds;
    const ends = [];
    for (const codes of [["1", "2", "3"], ["1", "for (;;);", "3"], ["Promise.resolve().then(() => { for (;;); })", "2"], ["4"]])
      ends.push(await workflow.activate(codes));
    require("node:worker_threads").parentPort.postMessage({ ends, made, bounds: bounds - made });
  });`;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "saldo-lean-"));
  await writeFile(join(folder, "vm-shared.js"), HANDLERS);
  await writeFile(join(folder, "workflow-worker-thread.js"), THREAD);
  await writeFile(join(folder, "another-thread.js"), THREAD);
  await mkdir(join(folder, "activations"));
  await writeFile(join(folder, "activations/vm-shared.js"), HANDLERS);
  await writeFile(join(folder, "activations/workflow-worker-thread.js"), ACTIVATIONS);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a thread of this script reports in a process that has loaded the preload. */
async function threadOf(script: string, environment: Record<string, string> = {}): Promise<unknown> {
  const main = `new (require("node:worker_threads").Worker)(${JSON.stringify(join(folder, script))}).on("message", (m) => console.log(JSON.stringify(m)))`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--require", PRELOAD, "-e", main], {
    env: { ...process.env, ...environment },
  });
  return JSON.parse(stdout) as unknown;
}

describe("the preload of the roles", () => {
  it("has a thread of workflows take no stacks, and leaves AsyncLocalStorage and the hooks of v8 to it", async () => {
    expect(await threadOf("workflow-worker-thread.js")).toEqual({ storage: "kept" });
  });

  it("leaves every other thread alone, and is switched off by WORKFLOW_STACK_TRACES", async () => {
    const stacks = { stacks: "a stack of every promise", storage: "kept" };
    expect(await threadOf("another-thread.js")).toEqual(stacks);
    expect(await threadOf("workflow-worker-thread.js", { WORKFLOW_STACK_TRACES: "true" })).toEqual(stacks);
  });

  it("has one bound around all calls of an activation, which ends a workflow that loops and no other", async () => {
    const failure = { code: "ERR_SCRIPT_EXECUTION_TIMEOUT", message: "Script execution timed out after 1000ms" };
    const ended = { runId: "r-1", failed: { failure } };
    expect(await threadOf("activations/workflow-worker-thread.js")).toEqual({ ends: [[1, 2, 3], ended, ended, [4]], made: 1, bounds: 4 });
  });

  it("finds in the SDK what it replaces", () => {
    const sdk = createRequire(createRequire(import.meta.url).resolve("@temporalio/worker/lib/workflow/workflow-worker-thread.js"));
    const { GlobalHandlers, BaseVMWorkflow } = sdk("./vm-shared") as Record<string, { prototype: Record<string, unknown> }>;
    expect(GlobalHandlers?.prototype["setPromiseHook"]).toBeTypeOf("function");
    expect(BaseVMWorkflow?.prototype["activate"]).toBeTypeOf("function");
  });
});
