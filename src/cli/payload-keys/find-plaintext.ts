import { Client } from "@temporalio/client";
import type { Payload } from "@temporalio/common";
import { keyIdOf } from "../../adapters/payload-codec/payload-codec.ts";
import { connectDirectly } from "../../adapters/temporal/temporal-direct.ts";
import { listRawExecutions } from "../../adapters/temporal/temporal-raw.ts";
import type { TemporalServer } from "../../adapters/temporal/temporal-server.ts";

/** What stands in a namespace, by how it is kept. */
export interface KeptPayloads {
  readonly workflows: number;
  /** How many workflows hold a payload of each key. */
  readonly byKey: Readonly<Record<string, number>>;
  /** The workflows that hold a payload in the open. */
  readonly plain: readonly { readonly workflowId: string; readonly runId: string; readonly isOpen: boolean }[];
  readonly plainSchedules: readonly string[];
}

/** Search attributes are in the open by their nature, headers are not encrypted by the SDK, and the core writes markers of its own. */
const NOT_ENCRYPTED = new Set(["searchAttributes", "header", "indexedFields", "headers"]);
const CORES_OWN_DETAIL = "data";

/** Looks through every history and memo, open or closed, and every schedule. Needs no key. Throws: the client's error when Temporal does not answer. */
export async function findPlaintext(where: TemporalServer & { readonly namespace: string }): Promise<KeptPayloads> {
  const connection = await connectDirectly(where);
  try {
    const client = new Client({ connection, namespace: where.namespace });
    const byKey: Record<string, number> = {};
    const plain: KeptPayloads["plain"][number][] = [];
    let workflows = 0;
    for await (const { workflowId, runId, raw, isOpen } of listRawExecutions(connection, where.namespace)) {
      workflows += 1;
      const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const kept = new Set([...keptIn(raw.memo), ...keptIn(events)]);
      for (const key of kept) if (key !== undefined) byKey[key] = (byKey[key] ?? 0) + 1;
      if (kept.has(undefined)) plain.push({ workflowId, runId, isOpen });
    }
    const plainSchedules: string[] = [];
    for await (const { scheduleId } of client.schedule.list()) {
      const { schedule } = await connection.workflowService.describeSchedule({ namespace: where.namespace, scheduleId });
      if (new Set(keptIn(schedule?.action)).has(undefined)) plainSchedules.push(scheduleId);
    }
    return { workflows, byKey, plain, plainSchedules };
  } finally {
    await connection.close();
  }
}

/** The key of each payload inside, undefined for one in the open. */
function* keptIn(content: unknown): Generator<string | undefined> {
  if (typeof content !== "object" || content === null || content instanceof Uint8Array) return;
  if ("metadata" in content && "data" in content && content.data instanceof Uint8Array) {
    yield keyIdOf(content as Payload);
    return;
  }
  const isMarker = "markerName" in content && String(content.markerName).startsWith("core_");
  for (const [name, value] of Object.entries(content))
    if (!NOT_ENCRYPTED.has(name))
      yield* keptIn(isMarker && name === "details" ? withoutCoresOwn(String(content.markerName), value) : value);
}

function withoutCoresOwn(markerName: string, details: unknown): unknown {
  if (typeof details !== "object" || details === null) return undefined;
  // A marker of a patch holds its name alone; one of a local activity holds the activity's name, and beside it the result.
  if (markerName === "core_patch") return undefined;
  return Object.fromEntries(Object.entries(details).filter(([name]) => name !== CORES_OWN_DETAIL));
}
