import { DomainError } from "../../base/errors.ts";
import { maskCardInIdentity } from "../../domain/cards/card-in-ids.ts";
import { maskDigits } from "../../domain/cards/card.ts";
import { getDeadLetter, listDeadLetters, type DeadLetterFilter, type DeadLetterSummary } from "../../store/events/dead-letter-list.ts";
import { findReceipt, type FoundReceipt } from "../../store/events/receipts.ts";
import { MAX_REDRIVE_BYTES, redriveDeadLetter, redriveMatching } from "../../store/events/redrives.ts";
import { recordAct } from "../../store/operators/operator-acts.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { decodeFilteredCursor, filteredPlace, type Filters } from "../http/filtered-cursor.ts";
import { pageOf } from "../http/page.ts";
import { refuseCardInIds } from "../http/refuse-card-data.ts";
import type { Routes } from "../http/routes.ts";
import { showBytes } from "../http/show-bytes.ts";
import { writeJson } from "../http/write-json.ts";
import {
  deadLetterFiltersSchema,
  listDeadLettersRoute,
  readDeadLetterRoute,
  redriveDeadLetterRoute,
  redriveDeadLettersRoute,
} from "./dead-letters-schemas.ts";

const LIST = "dead-letters";
const PATH = "/api/v1/dead-letters";
const BIGINT = /^[1-9]\d{0,17}$/;
const MAX_SHOWN_BYTES = 65_536;

/** Messages that could not be taken: look at them, and send them again. */
export function addDeadLetterRoutes(routes: Routes, { db, checkCorrection }: ApiDeps): void {
  routes.add(listDeadLettersRoute, { access: ADMINS, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor, ...named } = context.req.valid("query");
    const asked = definedOnly(named);
    const started = cursor === undefined ? undefined : decodeFilteredCursor(LIST, cursor, asked, [BIGINT]);
    const filters = started === undefined ? asked : readFilters(started.filters);
    const [beforeId] = started?.position ?? [];
    const rows = await listDeadLetters(db, { ...toFilter(filters), limit, ...(beforeId === undefined ? {} : { beforeId }) });
    const { page, nextCursor } = pageOf(rows, limit, LIST, ({ deadLetterId }) => filteredPlace(filters, [deadLetterId]));
    return context.json({ deadLetters: page.map(show), nextCursor }, 200);
  });

  routes.add(readDeadLetterRoute, { access: ADMINS, problems: ["DEAD_LETTER_NOT_FOUND"] }, async (context) => {
    const letter = await readLetter(context.req.valid("param").deadLetterId);
    const { key, value, headers } = letter;
    const receipt = letter.redrivenAt === undefined ? undefined : await findReceipt(db, letter);
    return context.json(
      {
        ...show(letter),
        ...(key === undefined ? {} : { key: showBytes(key, key.length === MAX_SHOWN_BYTES) }),
        ...(value === undefined ? {} : { value: showBytes(value, letter.bytes > value.length) }),
        headers: Object.fromEntries(Object.entries(headers).map(([name, text]) => [maskDigits(name), maskDigits(text)])),
        ...(receipt === undefined ? {} : showOutcome(receipt, letter)),
      },
      200,
    );
  });

  routes.add(
    redriveDeadLetterRoute,
    {
      access: ADMINS,
      problems: ["DEAD_LETTER_NOT_FOUND", "PAYLOAD_TOO_LARGE", "INVALID_EVENT", "REDRIVE_CONFLICT"],
    },
    async (context) => {
      const { body: corrected, reason } = context.req.valid("json");
      const body = corrected === undefined ? undefined : typeof corrected === "string" ? corrected : writeJson(corrected);
      refuseCardInIds(body, "/body");
      const letter = await readLetter(context.req.valid("param").deadLetterId);
      const { deadLetterId, topic, partition, offset } = letter;
      if (body === undefined && letter.bytes + (letter.key?.length ?? 0) > MAX_REDRIVE_BYTES)
        throw new DomainError("PAYLOAD_TOO_LARGE", "with the headers of a redrive the message is larger than its topic takes");
      if (body !== undefined) await checkCorrection?.({ deadLetterId, topic, value: Buffer.from(body) });
      const place = { topic, partition: String(partition), offset };
      await note(context, deadLetterId, reason, { ...place, corrected: String(body !== undefined) });
      const act = { actor: context.get("caller"), correlationId: context.get("correlationId"), reason };
      await redriveDeadLetter(db, { deadLetterId, ...act, ...(body === undefined ? {} : { body }) });
      return context.json({ deadLetterIds: [deadLetterId], count: 1, links: { self: `${PATH}/${deadLetterId}` } }, 202);
    },
  );

  routes.add(redriveDeadLettersRoute, { access: ADMINS }, async (context) => {
    const { filter, reason, limit } = context.req.valid("json");
    const asked = definedOnly(filter);
    await note(context, "many", reason, { ...asked, limit: String(limit) });
    const act = { actor: context.get("caller"), correlationId: context.get("correlationId"), reason };
    const deadLetterIds = await redriveMatching(db, { filter: asked, limit, ...act });
    return context.json({ deadLetterIds, count: deadLetterIds.length, links: { self: PATH } }, 202);
  });

  async function readLetter(deadLetterId: string) {
    const letter = BIGINT.test(deadLetterId) ? await getDeadLetter(db, deadLetterId, MAX_SHOWN_BYTES) : undefined;
    if (letter === undefined) throw new DomainError("DEAD_LETTER_NOT_FOUND");
    return letter;
  }

  function note(context: ApiContext, subjectId: string, reason: string, details: Record<string, string>): Promise<void> {
    const correlationId = context.get("correlationId");
    return recordAct(db, {
      actor: context.get("caller"),
      act: "dead-letter.redriven",
      subjectType: "dead letter",
      subjectId,
      reason,
      details,
      correlationId,
    });
  }
}

function show(letter: DeadLetterSummary) {
  const { redrivenAt, redrivenBy, refusedAgainAt } = letter;
  const isRefusedAgain = redrivenAt !== undefined && refusedAgainAt !== undefined && refusedAgainAt >= redrivenAt;
  return {
    deadLetterId: letter.deadLetterId,
    topic: letter.topic,
    partition: letter.partition,
    offset: letter.offset,
    identity: maskCardInIdentity(letter.identity),
    code: letter.code,
    reason: letter.reason,
    attempts: letter.attempts,
    bytes: letter.bytes,
    recordedAt: letter.recordedAt.toISOString(),
    status: redrivenAt === undefined ? ("waiting" as const) : isRefusedAgain ? ("refused-again" as const) : ("redriven" as const),
    ...(redrivenAt === undefined ? {} : { redrivenAt: redrivenAt.toISOString() }),
    ...(redrivenBy === undefined ? {} : { redrivenBy }),
    links: { self: `${PATH}/${letter.deadLetterId}` },
  };
}

// Its own place says what the dead letter became; while that is only "a dead letter", it became nothing yet or was refused again.
function showOutcome(receipt: FoundReceipt, letter: DeadLetterSummary) {
  const { outcome, operationId, workflowId, code } = receipt;
  if (outcome === "dead-lettered" && show(letter).status !== "refused-again") return {};
  return {
    outcome: {
      outcome,
      ...(operationId === undefined ? {} : { operationId }),
      ...(workflowId === undefined ? {} : { workflowId }),
      ...(code === undefined ? {} : { code }),
    },
  };
}

function definedOnly(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

// A cursor is not signed: its filters are checked as if they stood in the query.
function readFilters(filters: Record<string, unknown>): Filters {
  const parsed = deadLetterFiltersSchema.safeParse(filters);
  if (!parsed.success) throw new DomainError("INVALID_CURSOR", undefined, { pointer: "cursor" });
  return definedOnly(parsed.data);
}

function toFilter({ redriven, ...filters }: Filters): DeadLetterFilter {
  return { ...filters, ...(redriven === undefined ? {} : { redriven: redriven === "true" }) };
}
