import { createRoute, z } from "@hono/zod-openapi";
import { isRawNumber } from "../../base/raw-json.ts";
import { cursorSchema, keptText, limitSchema, linksSchema, nextCursorSchema, timeSchema, wholeNumber } from "../http/common-schemas.ts";
import { momentSchema } from "../http/moment-schema.ts";

const MAX_TOPIC = 249;
const MAX_CODE = 64;
/** How many dead letters one call sends again at most. */
const MAX_REDRIVES = 1_000;
const DEFAULT_REDRIVES = 100;

const filters = {
  topic: z.string().max(MAX_TOPIC).optional().openapi({ description: "The topic the message came from." }),
  code: z.string().max(MAX_CODE).optional().openapi({ example: "INVALID_EVENT" }),
  from: momentSchema.optional().openapi({ description: "Recorded at this moment or later." }),
  to: momentSchema.optional().openapi({ description: "Recorded before this moment." }),
};

/** What the list can be filtered by: what a cursor keeps. */
export const deadLetterFiltersSchema = z.strictObject({
  ...filters,
  redriven: z.enum(["true", "false"], "must be true or false").optional().openapi({ description: "Whether it was ever sent again." }),
});

const reasonSchema = keptText(500).min(1, "must not be empty").openapi({ description: "Why, in words. It is kept for ever." });

const summaryShape = {
  deadLetterId: z.string(),
  topic: z.string(),
  partition: z.number().int(),
  offset: z.string(),
  identity: z.string().openapi({ description: "The permanent key of its effect. It stays the same when it is sent again." }),
  code: z.string().openapi({ example: "INVALID_EVENT" }),
  reason: z.string(),
  attempts: z.number().int(),
  bytes: z.number().int().openapi({ description: "Of the value." }),
  recordedAt: timeSchema,
  status: z
    .enum(["waiting", "redriven", "refused-again"])
    .openapi({ description: "`waiting`: never sent again. `refused-again`: what was sent again became a dead letter again." }),
  redrivenAt: timeSchema.optional(),
  redrivenBy: z.string().optional(),
  links: linksSchema,
};

const summarySchema = z.object(summaryShape).openapi("DeadLetterSummary");

const bytesSchema = z.object({
  encoding: z.enum(["utf-8", "base64"]),
  text: z.string(),
  truncated: z.boolean().openapi({ description: "True when there is more than is shown." }),
  masked: z.boolean().openapi({ description: "True when what looks like a card number was cut to its last four digits." }),
});

const outcomeSchema = z.object({
  outcome: z.enum(["applied", "refused", "duplicate", "started", "dead-lettered"]),
  operationId: z.string().optional(),
  workflowId: z.string().optional(),
  code: z.string().optional(),
});

const deadLetterSchema = z
  .object({
    ...summaryShape,
    key: bytesSchema.optional(),
    value: bytesSchema.optional(),
    headers: z.record(z.string(), z.string()),
    outcome: outcomeSchema.optional().openapi({ description: "What became of it since, once that is known." }),
  })
  .openapi("DeadLetter");

const listSchema = z.object({ deadLetters: z.array(summarySchema), nextCursor: nextCursorSchema }).openapi("DeadLetterList");

const paramsSchema = z.object({ deadLetterId: z.string().max(20) });

const correctedSchema = z
  .custom<unknown>(
    (value) => typeof value === "string" || (typeof value === "object" && value !== null && !isRawNumber(value)),
    "must be text or JSON",
  )
  .openapi({
    type: ["string", "object", "array"],
    description:
      "The corrected value: text as it is to be sent, or JSON, whose numbers keep their digits. Without it the original is sent.",
  });

const redrivenSchema = z
  .object({ deadLetterIds: z.array(z.string()), count: z.number().int(), links: linksSchema })
  .openapi("RedrivenDeadLetters");

const ABOUT_REDRIVES =
  "The message goes to its original topic with the identity of the dead letter, so that an effect that did happen is not doubled. Who did it and " +
  "why is kept for ever.";

export const listDeadLettersRoute = createRoute({
  method: "get",
  path: "/api/v1/dead-letters",
  operationId: "listDeadLetters",
  tags: ["events"],
  summary: "Messages that could not be processed, the newest first",
  description: "The cursor keeps the filters: the next page needs only the cursor.",
  request: { query: deadLetterFiltersSchema.extend({ limit: limitSchema, cursor: cursorSchema.optional() }) },
  responses: { 200: { description: "A page.", content: { "application/json": { schema: listSchema } } } },
});

export const readDeadLetterRoute = createRoute({
  method: "get",
  path: "/api/v1/dead-letters/{deadLetterId}",
  operationId: "getDeadLetter",
  tags: ["events"],
  summary: "One dead letter with its content",
  description:
    "At most 64 KiB of the value are shown. What looks like a card number is cut to its last four digits; what is sent again is whole.",
  request: { params: paramsSchema },
  responses: { 200: { description: "The dead letter.", content: { "application/json": { schema: deadLetterSchema } } } },
});

export const redriveDeadLetterRoute = createRoute({
  method: "post",
  path: "/api/v1/dead-letters/{deadLetterId}/redrive",
  operationId: "redriveDeadLetter",
  tags: ["events"],
  summary: "Send a dead letter again, as it was or corrected",
  description: ABOUT_REDRIVES,
  request: {
    params: paramsSchema,
    body: {
      required: true,
      content: { "application/json": { schema: z.strictObject({ body: correctedSchema.optional(), reason: reasonSchema }) } },
    },
  },
  responses: { 202: { description: "It is on its way.", content: { "application/json": { schema: redrivenSchema } } } },
});

export const redriveDeadLettersRoute = createRoute({
  method: "post",
  path: "/api/v1/dead-letters/redrive",
  operationId: "redriveDeadLetters",
  tags: ["events"],
  summary: "Send many dead letters again",
  description: `The oldest that match and were never sent again. ${ABOUT_REDRIVES}`,
  request: {
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({
            filter: z.strictObject(filters),
            reason: reasonSchema,
            limit: wholeNumber(1, MAX_REDRIVES).default(DEFAULT_REDRIVES),
          }),
        },
      },
    },
  },
  responses: { 202: { description: "They are on their way.", content: { "application/json": { schema: redrivenSchema } } } },
});
