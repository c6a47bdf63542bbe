import { DomainError } from "../../base/errors.ts";
import { kafkaTopicOf } from "../../contract/ids.ts";
import { MAX_REDRIVE_BYTES, redriveDeadLetter, redriveMatching } from "../../store/events/redrives.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { definedOnly } from "../http/filtered-cursor.ts";
import { noteAct } from "../http/note-act.ts";
import { refuseCardData } from "../http/refuse-card-data.ts";
import { actorOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { writeJson } from "../http/write-json.ts";
import { redriveDeadLetterRoute, redriveDeadLettersRoute } from "./dead-letters-schemas.ts";
import { findDeadLetter } from "./find-dead-letter.ts";
import { DEAD_LETTERS_PATH } from "./show-dead-letter.ts";

/** Sending dead letters again: one as it was or corrected, and many as they were. */
export function addRedriveRoutes(routes: Routes, { db, checkCorrection }: Pick<ApiDeps, "db" | "checkCorrection">): void {
  routes.add(
    redriveDeadLetterRoute,
    { access: ADMINS, problems: ["DEAD_LETTER_NOT_FOUND", "PAYLOAD_TOO_LARGE", "INVALID_EVENT", "REDRIVE_CONFLICT"] },
    async (context) => {
      const { body: corrected, reason } = context.req.valid("json");
      const body = corrected === undefined ? undefined : typeof corrected === "string" ? corrected : writeJson(corrected);
      refuseCardData(body, "/body");
      const letter = await findDeadLetter(db, context.req.valid("param").deadLetterId);
      const { deadLetterId, topic, partition, offset } = letter;
      if (body === undefined && letter.bytes + (letter.key?.length ?? 0) > MAX_REDRIVE_BYTES)
        throw new DomainError("PAYLOAD_TOO_LARGE", "with the headers of a redrive the message is larger than its topic takes");
      if (body !== undefined) await checkCorrection?.({ deadLetterId, topic: kafkaTopicOf(topic), value: Buffer.from(body) });
      const place = { topic, partition: String(partition), offset };
      await note(context, deadLetterId, reason, { ...place, corrected: String(body !== undefined) });
      await redriveDeadLetter(db, { deadLetterId, reason, ...actorOf(context), ...(body === undefined ? {} : { body }) });
      return context.json({ deadLetterIds: [deadLetterId], count: 1, links: { self: `${DEAD_LETTERS_PATH}/${deadLetterId}` } }, 202);
    },
  );

  routes.add(redriveDeadLettersRoute, { access: ADMINS }, async (context) => {
    const { filter, reason, limit } = context.req.valid("json");
    const asked = definedOnly(filter);
    await note(context, "many", reason, { ...asked, limit: String(limit) });
    const deadLetterIds = await redriveMatching(db, { filter: asked, limit, reason, ...actorOf(context) });
    return context.json({ deadLetterIds, count: deadLetterIds.length, links: { self: DEAD_LETTERS_PATH } }, 202);
  });

  function note(context: ApiContext, subjectId: string, reason: string, details: Record<string, string>): Promise<void> {
    return noteAct(db, context, { act: "dead-letter.redriven", subjectType: "dead letter", subjectId, reason, details });
  }
}
