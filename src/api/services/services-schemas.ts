import { createRoute, z } from "@hono/zod-openapi";
import { UNASSIGNED_SERVICE } from "../../domain/ledger/operations.ts";
import { cursorSchema, idSchema, idTextSchema, keptText, limitSchema, nextCursorSchema, timeSchema } from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";

const nameSchema = keptText(200).min(1, "must not be empty");

const newServiceSchema = z
  .strictObject({
    id: idSchema.refine((id) => id !== UNASSIGNED_SERVICE, "is the name under which revenue without a service stands").optional(),
    name: nameSchema,
  })
  .openapi("NewService", { description: "Without an id one is made." });

const MAX_SERVICES = 500;

const newServicesSchema = z
  .strictObject({
    services: z.array(newServiceSchema).min(1, "must name at least one").max(MAX_SERVICES, `must name at most ${MAX_SERVICES}`),
  })
  .superRefine(({ services }, context) => {
    for (const field of ["id", "name"] as const) {
      const seen = new Set<string>();
      for (const [place, service] of services.entries()) {
        const value = service[field];
        if (value !== undefined && seen.has(value))
          context.addIssue({ code: "custom", path: ["services", place, field], message: "stands in the list before" });
        if (value !== undefined) seen.add(value);
      }
    }
  })
  .openapi("NewServices");

export type NewService = z.infer<typeof newServiceSchema>;

// The two shapes are told apart by the member `services`, so that an error names the place and not only "no shape fits".
const servicesBodySchema = z
  .record(z.string(), z.unknown(), "must be an object")
  .transform((body, context): z.infer<typeof newServiceSchema> | z.infer<typeof newServicesSchema> => {
    const parsed = (Object.hasOwn(body, "services") ? newServicesSchema : newServiceSchema).safeParse(body);
    if (parsed.success) return parsed.data;
    for (const { path, message, ...issue } of parsed.error.issues)
      if (issue.code === "unrecognized_keys")
        for (const key of issue.keys) context.addIssue({ code: "custom", path: [...path, key], message: "is not known here" });
      else context.addIssue({ code: "custom", path: [...path], message, ...("params" in issue ? { params: issue.params } : {}) });
    return z.NEVER;
  })
  .openapi({ type: "object", oneOf: [{ $ref: "#/components/schemas/NewService" }, { $ref: "#/components/schemas/NewServices" }] });

export const DOCUMENTED_SERVICE_SCHEMAS = { NewService: newServiceSchema, NewServices: newServicesSchema };

const serviceParamsSchema = z.object({ serviceId: idTextSchema });

const serviceSchema = z.object({ id: z.string(), name: z.string(), createdAt: timeSchema }).openapi("Service");

const serviceListSchema = z.object({ services: z.array(serviceSchema), nextCursor: nextCursorSchema }).openapi("ServiceList");

const servicesMadeSchema = z.union([serviceSchema, z.object({ services: z.array(serviceSchema) })]);

const serviceQuerySchema = z.strictObject({ limit: limitSchema, cursor: cursorSchema.optional() });

const made = { content: { "application/json": { schema: servicesMadeSchema } } };

export const createServicesRoute = createRoute({
  method: "post",
  path: "/api/v1/services",
  operationId: "createServices",
  tags: ["services"],
  summary: "Add one service, or a list of them",
  description:
    "A list is added as a whole or not at all. A service that exists with the same id and name stays as it is. The id of a deleted " +
    "service can be taken up again, under any name.",
  request: {
    headers: idempotencyHeader.partial(),
    body: { required: true, content: { "application/json": { schema: servicesBodySchema } } },
  },
  responses: { 200: { description: "All of them existed before.", ...made }, 201: { description: "At least one was added.", ...made } },
});

export const readServiceRoute = createRoute({
  method: "get",
  path: "/api/v1/services/{serviceId}",
  operationId: "getService",
  tags: ["services"],
  summary: "One service",
  request: { params: serviceParamsSchema },
  responses: { 200: { description: "The service.", content: { "application/json": { schema: serviceSchema } } } },
});

export const listServicesRoute = createRoute({
  method: "get",
  path: "/api/v1/services",
  operationId: "listServices",
  tags: ["services"],
  summary: "Services by id, page by page",
  request: { query: serviceQuerySchema },
  responses: { 200: { description: "A page.", content: { "application/json": { schema: serviceListSchema } } } },
});

export const deleteServiceRoute = createRoute({
  method: "delete",
  path: "/api/v1/services/{serviceId}",
  operationId: "deleteService",
  tags: ["services"],
  summary: "Stop selling a service",
  description:
    "Refused while reservations or orders of it are open. What was sold stays in the reports, under the name it had when it was sold.",
  request: { params: serviceParamsSchema },
  responses: { 204: { description: "It is not sold any more." } },
});
