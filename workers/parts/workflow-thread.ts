import v8 from "node:v8";
import { isMainThread } from "node:worker_threads";

/*
 * Loaded by `node --import` before a role's own file, and by each thread of it. In the threads that run workflows it takes away the promise
 * hook, by which the SDK takes a stack of every promise for the query `__stack_trace`: a fifth of a worker's processor under load. The SDK
 * knows that case (of runtimes without the hook) and answers the query with "not enabled". WORKFLOW_STACK_TRACES=true leaves the hook there.
 */
if (!isMainThread)
  v8.promiseHooks.createHook = () => {
    const { warn } = console;
    // The SDK's next word is a line on the console about the missing hook, which is no JSON and no news.
    console.warn = () => {
      console.warn = warn;
    };
    throw new Error("the promise hook is switched off by WORKFLOW_STACK_TRACES");
  };
