import { setTimeout as sleep } from "node:timers/promises";
import { recordAct } from "../../store/operators/operator-acts.ts";
import { beginPause, endPause, listPauses, PAUSE_MEMORY_MS, type PauseRecord } from "../../store/operators/pauses.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import type { Routes } from "../http/routes.ts";
import { beginPauseRoute, endPauseRoute, listPausesRoute } from "./pauses-schemas.ts";

/** One switch per danger: captures and charges wait for all, for a service or for a user. Every turn of it is kept. */
export function addPauseRoutes(routes: Routes, { db }: ApiDeps): void {
  routes.add(beginPauseRoute, { access: ADMINS }, async (context) => {
    const { scope, id = "", reason } = context.req.valid("json");
    await keep(context, "pause.begun", { scope, id }, reason);
    const pause = await beginPause(db, { scope, subject: id, reason, pausedBy: context.get("caller") });
    // Every worker has read its list anew by then.
    await sleep(PAUSE_MEMORY_MS);
    return context.json(show(pause), 201);
  });

  routes.add(listPausesRoute, { access: ADMINS }, async (context) => context.json({ pauses: (await listPauses(db)).map(show) }, 200));

  routes.add(endPauseRoute, { access: ADMINS }, async (context) => {
    const { scope, id = "" } = context.req.valid("query");
    await keep(context, "pause.ended", { scope, id }, "ended");
    await endPause(db, { scope, subject: id });
    return context.body(null, 204);
  });

  function keep(context: ApiContext, act: string, { scope, id }: { scope: string; id: string }, reason: string): Promise<void> {
    const correlationId = context.get("correlationId");
    return recordAct(db, { actor: context.get("caller"), act, subjectType: `pause of ${scope}`, subjectId: id, reason, correlationId });
  }
}

function show({ scope, subject, reason, pausedBy, pausedAt }: PauseRecord) {
  return { scope, ...(scope === "all" ? {} : { id: subject }), reason, pausedBy, pausedAt: pausedAt.toISOString() };
}
