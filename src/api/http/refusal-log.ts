import type { Log } from "../../adapters/log.ts";
import { domainErrorIn, messageOf } from "../../base/errors.ts";
import { recordAct } from "../../store/operators/operator-acts.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { ApiContext } from "../api-env.ts";
import type { Access } from "./access.ts";

/** Records the requests that the guard refused. Neither function throws or keeps the request waiting. */
export interface RefusalLog {
  /** A token was refused; the reason goes to the log and nowhere else. */
  refused(context: ApiContext, error: unknown): void;
  /** A known caller asked for a route that their roles do not allow. */
  denied(context: ApiContext, access: Access): void;
}

/** At most one denial of a caller at a route is recorded in this time: a client in a loop must not fill the operators' book. */
const DENIAL_EVERY_MS = 60_000;
const MAX_REMEMBERED = 10_000;

/** Refused tokens go to the log; denials at routes for admins alone go to the operators' book. */
export function createRefusalLog(deps: { readonly db: Db; readonly log: Log; readonly now?: () => number }): RefusalLog {
  const { db, log, now = Date.now } = deps;
  const notedAtMs = new Map<string, number>();
  return {
    refused(context, error) {
      const reason = domainErrorIn(error)?.details["reason"];
      if (reason === undefined) return;
      log.info(
        { event: "auth.refused", reason, correlationId: context.get("correlationId"), route: context.get("route") },
        "a token was refused",
      );
    },
    denied(context, access) {
      if (access === "public" || access.some((role) => role !== "admin")) return;
      const [actor, route, correlationId] = [context.get("caller"), context.get("route"), context.get("correlationId")];
      const key = `${actor} ${context.req.method} ${route}`;
      if (now() < (notedAtMs.get(key) ?? -Infinity) + DENIAL_EVERY_MS) return;
      if (notedAtMs.size >= MAX_REMEMBERED) notedAtMs.clear();
      notedAtMs.set(key, now());
      const subject = { subjectType: "route", subjectId: `${context.req.method} ${route}` };
      recordAct(db, { actor, act: "access.denied", ...subject, reason: "FORBIDDEN", correlationId }).catch((error: unknown) =>
        log.warn({ event: "act.lost", act: "access.denied", correlationId, reason: messageOf(error) }, "a denial could not be noted"),
      );
    },
  };
}
