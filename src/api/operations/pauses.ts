import { setTimeout as sleep } from "node:timers/promises";
import { beginPause, endPause, listPauses, PAUSE_MEMORY_MS, type PauseRecord } from "../../store/operators/pauses.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { noteAct } from "../http/note-act.ts";
import type { Routes } from "../http/routes.ts";
import { beginPauseRoute, endPauseRoute, listPausesRoute } from "./pauses-schemas.ts";

/** Pauses: captures and charges wait for everyone, for one service or for one user. Beginning and ending a pause is kept in the operators' book. */
export function addPauseRoutes(routes: Routes, { db }: Pick<ApiDeps, "db">): void {
  routes.add(beginPauseRoute, { access: ADMINS }, async (context) => {
    const { scope, id = "", reason } = context.req.valid("json");
    await note(context, "pause.begun", { scope, id }, reason);
    const pause = await beginPause(db, { scope, subject: id, reason, pausedBy: context.get("caller") });
    // By then every worker has read the list of pauses again.
    await sleep(PAUSE_MEMORY_MS);
    return context.json(show(pause), 201);
  });

  routes.add(listPausesRoute, { access: ADMINS }, async (context) => context.json({ pauses: (await listPauses(db)).map(show) }, 200));

  routes.add(endPauseRoute, { access: ADMINS }, async (context) => {
    const { scope, id = "" } = context.req.valid("query");
    await note(context, "pause.ended", { scope, id }, "ended");
    await endPause(db, { scope, subject: id });
    return context.body(null, 204);
  });

  function note(context: ApiContext, act: string, { scope, id }: { scope: string; id: string }, reason: string): Promise<void> {
    return noteAct(db, context, { act, subjectType: `pause of ${scope}`, subjectId: id, reason });
  }
}

function show({ scope, subject, reason, pausedBy, pausedAt }: PauseRecord) {
  return { scope, ...(scope === "all" ? {} : { id: subject }), reason, pausedBy, pausedAt: pausedAt.toISOString() };
}
