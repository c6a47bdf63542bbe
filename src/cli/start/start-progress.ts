import { superviseRole, type RoleEvent, type RoleSpec, type SupervisedRole } from "../../stack/processes/supervisor.ts";
import { serverTitle, type ServerProgress } from "../../stack/progress.ts";
import { sentenceOf, StackError } from "../../stack/stack-error.ts";
import type { ChecklistLine, ChecklistState } from "./terminal-checklist.ts";

type OnStep = (line: ChecklistLine) => void;

/** Runs a step of the start as a line of the checklist. Throws: SERVER_FAILED with the step's title. */
export type StepRunner = <T>(title: string, doing: string, work: () => Promise<T>, done: (result: T) => string) => Promise<T>;

/** A runner of steps that tells `onStep` how far each is. */
export function createStepRunner(onStep: OnStep): StepRunner {
  return async (title, doing, work, done) => {
    const startedAtMs = performance.now();
    const tell = (state: ChecklistState, detail: string) => onStep({ title, state, detail, elapsedMs: performance.now() - startedAtMs });
    tell("working", doing);
    try {
      const result = await work();
      tell("done", done(result));
      return result;
    } catch (error) {
      tell("failed", sentenceOf(error));
      throw new StackError("SERVER_FAILED", `${title}: ${sentenceOf(error)}`);
    }
  };
}

/** The progress of a server's start as a line of the checklist. */
export function lineOfServer(event: ServerProgress): ChecklistLine {
  const state = (
    { resolving: "working", building: "working", starting: "working", ready: "done", missing: "warning", failed: "failed" } as const
  )[event.state];
  return {
    title: serverTitle(event.server),
    state,
    detail: `${event.detail}${event.source === undefined ? "" : ` [${event.source}]`}`,
    elapsedMs: event.elapsedMs,
  };
}

/** Supervises a role. Its events up to the first `ready` are a line of the checklist, the later ones go to `onRoleEvent`. */
export function superviseOnChecklist(
  spec: RoleSpec,
  options: {
    readonly dataDir: string;
    readonly onStep: OnStep;
    readonly onRoleEvent: (event: RoleEvent) => void;
    readonly onRoleOutput: ((role: string, chunk: string) => void) | undefined;
  },
): SupervisedRole {
  const { dataDir, onStep, onRoleEvent, onRoleOutput } = options;
  let wasReady = false;
  return superviseRole(spec, {
    dataDir,
    onEvent: (event) => {
      if (wasReady) return onRoleEvent(event);
      wasReady = event.state === "ready";
      const state = ({ starting: "working", restarting: "working", ready: "done", "backing-off": "warning", stopped: "failed" } as const)[
        event.state
      ];
      if (event.state !== "stopped" || event.detail !== "")
        onStep({ title: `Role ${spec.name}`, state, detail: event.detail, elapsedMs: event.elapsedMs });
    },
    ...(onRoleOutput === undefined ? {} : { onOutput: (chunk: string) => onRoleOutput(spec.name, chunk) }),
  });
}
