import { placeTopic } from "../../contract/ids.ts";
import { declareIncarnation, listIncarnations, type KnownIncarnation } from "../../store/events/topic-incarnations.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { actorOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { declareTopicRoute, listTopicsRoute } from "./topics-schemas.ts";

/** Which topics stood under a name, and which of them hold the same messages. */
export function addTopicRoutes(routes: Routes, { db }: Pick<ApiDeps, "db">): void {
  routes.add(listTopicsRoute, { access: ADMINS }, async (context) => {
    const topics = (await listIncarnations(db)).map(show);
    return context.json({ topics }, 200);
  });

  routes.add(declareTopicRoute, { access: ADMINS, problems: ["CONFLICT"] }, async (context) => {
    const { topic } = context.req.valid("param");
    const { clusterId, topicId, sameAs, reason } = context.req.valid("json");
    const number = await declareIncarnation(db, { topic, clusterId, topicId, sameAs, reason, ...actorOf(context) });
    return context.json({ topic, number, calledInPlaces: placeTopic(topic, number) }, 201);
  });
}

function show({ topic, clusterId, topicId, number, recordedAt, firstReadAt }: KnownIncarnation) {
  return {
    topic,
    clusterId,
    topicId,
    number,
    calledInPlaces: placeTopic(topic, number),
    recordedAt: recordedAt.toISOString(),
    ...(firstReadAt === undefined ? {} : { firstReadAt: firstReadAt.toISOString() }),
  };
}
