import { createRoute, z } from "@hono/zod-openapi";
import { ROLES } from "../../contract/identity.ts";
import { jsonOf, timeSchema } from "../http/common-schemas.ts";
import { userParamsSchema } from "../money/balances-schemas.ts";

const userSchema = z
  .object({
    userId: z.string(),
    since: timeSchema.openapi({ description: "When their first money came, or when they registered, whichever was first." }),
    roles: z.array(z.enum(ROLES)).optional().openapi({ description: "Their roles, when they have a login here." }),
    loginDisabledAt: timeSchema.optional().openapi({ description: "Since when an operator lets nobody in with their login." }),
  })
  .openapi("KnownUser");

const deletedUserSchema = z
  .object({
    userId: z.string().openapi({ description: "Nobody's now; money that comes for it makes it a user's again, without a login." }),
    login: z
      .string()
      .optional()
      .openapi({ description: "The login they had. It stays taken: only an admin's `register` gives it again, to this id or to another." }),
    sessionsEnded: z.number().int(),
    meaning: z.string().openapi({ description: "The same in a sentence." }),
  })
  .openapi("DeletedUser");

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
    "Refused while the user has money, available or held, in any currency, open reservations or running orders. Their login, sessions and tokens end, and API keys that name " +
    "them; their history stays. The login stays taken until an admin's `register` gives it again. Money that comes later makes the id a user's again, without a login.",
  request: { params: userParamsSchema },
  responses: { 200: { description: "The user is deleted: what became of their id and login.", ...jsonOf(deletedUserSchema) } },
});
