import { Client } from "@temporalio/client";
import type { PayloadCodec } from "@temporalio/common";
import { decodeInside } from "../../adapters/payload-codec/decode-inside.ts";
import { connectDirectly } from "../../adapters/temporal/temporal-direct.ts";
import { listRawExecutions, type RawExecution } from "../../adapters/temporal/temporal-raw.ts";
import type { TemporalServer } from "../../adapters/temporal/temporal-server.ts";
import type { Finder } from "./finder.ts";
import type { Finding, PlaceReport } from "./place.ts";

const AT_ONCE = 8;

/**
 * Searches the whole history of every workflow in the namespace, open or closed, with its memo and its search attributes, the pending
 * activities of running workflows (heartbeats and last failures), and every schedule. Payloads are searched as they are stored, encrypted
 * ones decrypted with `codec`. Throws: the client's error when Temporal does not answer; an error when payloads cannot be decrypted.
 */
export async function scanTemporal(
  finder: Finder,
  server: TemporalServer & { readonly namespace: string; readonly codec?: PayloadCodec | undefined },
): Promise<PlaceReport> {
  const connection = await connectDirectly(server);
  try {
    const { namespace, codec } = server;
    const client = new Client({ connection, namespace });
    const findings: Finding[] = [];
    const search = async (subject: string, content: unknown) => {
      const found = findInside(finder, await decodeInside(codec, content), "");
      if (found !== undefined) findings.push({ where: finder.mask(`${subject}${found.path}`), spelling: found.spelling });
    };
    let workflows = 0;
    let events = 0;
    const scanOne = async ({ workflowId, runId, raw, isOpen }: RawExecution) => {
      workflows += 1;
      await search(`workflow ${workflowId}`, raw);
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      for (const event of history.events ?? []) {
        events += 1;
        await search(`workflow ${workflowId}, event ${String(event.eventId)}`, event);
      }
      if (isOpen)
        await search(
          `workflow ${workflowId}, now`,
          await connection.workflowService.describeWorkflowExecution({ namespace, execution: { workflowId, runId } }),
        );
    };
    const running = new Set<Promise<void>>();
    for await (const info of listRawExecutions(connection, namespace)) {
      const work = scanOne(info).finally(() => running.delete(work));
      running.add(work);
      if (running.size >= AT_ONCE) await Promise.race(running);
    }
    await Promise.all(running);
    for await (const { scheduleId } of client.schedule.list())
      await search(`schedule ${scheduleId}`, await connection.workflowService.describeSchedule({ namespace, scheduleId }));
    return { place: "temporal", looked: `${workflows} workflows, ${events} events`, findings };
  } finally {
    await connection.close();
  }
}

function findInside(finder: Finder, content: unknown, path: string): { path: string; spelling: Finding["spelling"] } | undefined {
  if (typeof content === "string" || content instanceof Uint8Array) {
    const spelling = finder.find(content);
    return spelling === undefined ? undefined : { path, spelling };
  }
  if (typeof content !== "object" || content === null) return undefined;
  for (const [name, value] of Object.entries(content)) {
    const found = findInside(finder, name, `${path} ${name}`) ?? findInside(finder, value, `${path} ${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
