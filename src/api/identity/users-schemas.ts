import { createRoute, z } from "@hono/zod-openapi";
import { ROLES } from "../../contract/identity.ts";
import { timeSchema } from "../http/common-schemas.ts";
import { userParamsSchema } from "../money/balances-schemas.ts";

const userSchema = z
  .object({
    userId: z.string(),
    since: timeSchema.openapi({ description: "When their first money came, or when they registered, whichever was first." }),
    roles: z.array(z.enum(ROLES)).optional().openapi({ description: "Their roles, when they can log in here." }),
  })
  .openapi("KnownUser");

export const readUserRoute = createRoute({
  method: "get",
  path: "/api/v1/users/{userId}",
  operationId: "getUser",
  tags: ["users"],
  summary: "Whether a user is known, and since when",
  description: "A user becomes known with their first money or by registering. A deleted user is not known until money comes again.",
  request: { params: userParamsSchema },
  responses: { 200: { description: "The user.", content: { "application/json": { schema: userSchema } } } },
});

export const deleteUserRoute = createRoute({
  method: "delete",
  path: "/api/v1/users/{userId}",
  operationId: "deleteUser",
  tags: ["users"],
  summary: "Delete a user who has nothing left",
  description:
    "Refused while the user has money, available or held, in any currency, open reservations or running orders. Their login and sessions end; " +
    "their history stays. Money that comes later makes them a user again, without a login.",
  request: { params: userParamsSchema },
  responses: { 204: { description: "The user is deleted." } },
});
