import { createRoute, z } from "@hono/zod-openapi";
import { commentSchema, timeSchema, userIdSchema, userIdTextSchema } from "../http/common-schemas.ts";

const SCOPES = ["all", "service", "user"] as const;
const scopeSchema = z.enum(SCOPES, `must be one of ${SCOPES.join(", ")}`);
const FITS = { path: ["id"], message: "must be given for a service or a user, and not for all" };
const fits = ({ scope, id }: { scope: string; id?: string | undefined }) => (scope === "all") === (id === undefined);

const pauseSchema = z
  .object({ scope: scopeSchema, id: z.string().optional(), reason: z.string(), pausedBy: z.string(), pausedAt: timeSchema })
  .openapi("Pause");
const pauseBodySchema = z
  .strictObject({ scope: scopeSchema, id: userIdSchema.optional(), reason: commentSchema.min(1, "must not be empty") })
  .refine(fits, FITS)
  .openapi("NewPause");
const tags = ["operations"];

export const beginPauseRoute = createRoute({
  method: "post",
  path: "/api/v1/pauses",
  operationId: "beginPause",
  tags,
  summary: "Let captures and charges wait: all, those of a service, or those of a user",
  description:
    "Orders that run wait and say so; nothing fails, and what is held does not expire meanwhile. The pause is in force everywhere when this is answered. A pause " +
    "that is in force already stays as it is.",
  request: { body: { required: true, content: { "application/json": { schema: pauseBodySchema } } } },
  responses: { 201: { description: "The pause.", content: { "application/json": { schema: pauseSchema } } } },
});

export const listPausesRoute = createRoute({
  method: "get",
  path: "/api/v1/pauses",
  operationId: "listPauses",
  tags,
  summary: "The pauses that are in force",
  responses: {
    200: {
      description: "All of them, oldest first.",
      content: { "application/json": { schema: z.object({ pauses: z.array(pauseSchema) }).openapi("PauseList") } },
    },
  },
});

export const endPauseRoute = createRoute({
  method: "delete",
  path: "/api/v1/pauses",
  operationId: "endPause",
  tags,
  summary: "End a pause: what waited goes on",
  request: { query: z.strictObject({ scope: scopeSchema, id: userIdTextSchema.optional() }).refine(fits, FITS) },
  responses: { 204: { description: "The pause is not in force (any more)." } },
});
