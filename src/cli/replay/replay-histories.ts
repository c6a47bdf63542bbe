import { readFile } from "node:fs/promises";
import type { PayloadCodec } from "@temporalio/common";
import { Worker } from "@temporalio/worker";
import { messageOf } from "../../base/errors.ts";
import { readHistoryJson } from "./history-json.ts";

/** The result of one history file. `workflow` is the workflow's type, when the file could be read. */
export interface ReplayReport {
  readonly file: string;
  readonly ok: boolean;
  readonly workflow?: string;
  readonly events?: number;
  /** Why it failed: the file cannot be read, or today's code issues other commands than the history. */
  readonly reason?: string;
}

interface History {
  readonly events: readonly unknown[];
  readonly workflow: string;
  readonly workflowId: string;
}

/**
 * Replays each history, as `temporal workflow show --output json` writes it, through the bundle of workflows at the given path.
 * Encrypted payloads are read with `codec`. Executes no activity and needs no server. The other histories are replayed also when one fails.
 */
export async function replayHistories(files: readonly string[], bundlePath: string, codec?: PayloadCodec): Promise<ReplayReport[]> {
  const reports: ReplayReport[] = [];
  // One after the other: each replay makes a worker of its own, and so an error belongs to one file.
  for (const file of files) reports.push(await replayFile(file, bundlePath, codec));
  return reports;
}

async function replayFile(file: string, bundlePath: string, codec: PayloadCodec | undefined): Promise<ReplayReport> {
  let history: History;
  try {
    history = parseHistory(await readFile(file, "utf8"));
  } catch (error) {
    return { file, ok: false, reason: messageOf(error) };
  }
  const known = { file, workflow: history.workflow, events: history.events.length };
  try {
    await Worker.runReplayHistory(
      { workflowBundle: { codePath: bundlePath }, ...(codec === undefined ? {} : { dataConverter: { payloadCodecs: [codec] } }) },
      readHistoryJson({ events: history.events }),
      history.workflowId,
    );
    return { ...known, ok: true };
  } catch (error) {
    return { ...known, ok: false, reason: messageOf(error) };
  }
}

/** Reads a history's JSON. Throws: Error in words when the text is no history. */
export function parseHistory(text: string): History {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON; write it with: temporal workflow show --workflow-id ID --output json");
  }
  const events = field(content, "events");
  if (!Array.isArray(events) || events.length === 0)
    throw new Error("it has no events; write it with: temporal workflow show --workflow-id ID --output json");
  const started = field(events[0], "workflowExecutionStartedEventAttributes");
  const workflow = field(field(started, "workflowType"), "name");
  if (typeof workflow !== "string")
    throw new Error("its first event is not the start of a workflow; a part of a history cannot be replayed");
  const workflowId = field(started, "workflowId");
  return { events, workflow, workflowId: typeof workflowId === "string" && workflowId !== "" ? workflowId : "replayed" };
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
