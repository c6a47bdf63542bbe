import { createRoute, z } from "@hono/zod-openapi";
import { linksSchema, timeSchema } from "../http/common-schemas.ts";

const topicSchema = z.string().openapi({ description: "The second topic that was read under a name is called `purchases~2`." });
const positionShape = { topic: topicSchema, partition: z.number().int(), offset: z.string() };

const paramsSchema = z.object({
  topic: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}(?:~[1-9]\d{0,8})?$/, "must be the name of a topic")
    .openapi({
      description: "A topic that was made again: the newest that was read under the name; an earlier one as `purchases~1`, by its number.",
    }),
  partition: z
    .string()
    .regex(/^(?:0|[1-9]\d{0,8})$/, "must be a whole number")
    .openapi({ example: "0" }),
  offset: z
    .string()
    .regex(/^(?:0|[1-9]\d{0,17})$/, "must be a whole number")
    .openapi({ example: "42" }),
});

const receiptSchema = z
  .object({
    ...positionShape,
    outcome: z.enum(["applied", "refused", "duplicate", "started", "dead-lettered"]).openapi({
      description:
        "`applied`: it became an operation. `refused`: the ledger refused it, for ever. `duplicate`: its effect is that of an earlier message. " +
        "`started`: it started a workflow or was handed to one. `dead-lettered`: it could not be processed.",
    }),
    identity: z.string().openapi({ description: "The permanent key of its effect: its own id, else its place." }),
    operationId: z.string().optional(),
    workflowId: z.string().optional(),
    code: z.string().optional().openapi({ description: "Why it was refused or is a dead letter.", example: "INSUFFICIENT_FUNDS" }),
    reason: z.string().optional(),
    deadLetterId: z.string().optional(),
    first: z.object(positionShape).optional().openapi({ description: "Of a duplicate: the message that took effect." }),
    recordedAt: timeSchema,
    links: linksSchema.extend({ operation: z.string().optional(), deadLetter: z.string().optional() }),
  })
  .openapi("EventReceipt");

export const readEventReceiptRoute = createRoute({
  method: "get",
  path: "/api/v1/events/{topic}/{partition}/{offset}",
  operationId: "getEventReceipt",
  tags: ["events"],
  summary: "What became of a Kafka message",
  description: "`EVENT_NOT_SEEN` is the answer while the message waits; ask again.",
  request: { params: paramsSchema },
  responses: { 200: { description: "Its receipt.", content: { "application/json": { schema: receiptSchema } } } },
});
