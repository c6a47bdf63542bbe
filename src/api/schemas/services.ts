import { z } from "@hono/zod-openapi";
import { UNASSIGNED_SERVICE } from "../../domain/operations.ts";
import { cursorSchema, idSchema, idTextSchema, limitSchema, nextCursorSchema, timeSchema } from "./common.ts";

const nameSchema = z
  .string()
  .min(1, "must not be empty")
  .max(200, "must have at most 200 characters")
  .refine((text) => !/\p{Cc}/u.test(text), "must not have control characters");

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
export const servicesBodySchema = z
  .record(z.string(), z.unknown(), "must be an object")
  .transform((body, context): z.infer<typeof newServiceSchema> | z.infer<typeof newServicesSchema> => {
    const parsed = (Object.hasOwn(body, "services") ? newServicesSchema : newServiceSchema).safeParse(body);
    if (parsed.success) return parsed.data;
    for (const { path, message, ...issue } of parsed.error.issues)
      if (issue.code === "unrecognized_keys")
        for (const key of issue.keys) context.addIssue({ code: "custom", path: [...path, key], message: "is not known here" });
      else context.addIssue({ code: "custom", path: [...path], message });
    return z.NEVER;
  })
  .openapi({ type: "object", oneOf: [{ $ref: "#/components/schemas/NewService" }, { $ref: "#/components/schemas/NewServices" }] });

export const DOCUMENTED_SERVICE_SCHEMAS = { NewService: newServiceSchema, NewServices: newServicesSchema };

export const serviceParamsSchema = z.object({ serviceId: idTextSchema });

export const serviceSchema = z.object({ id: z.string(), name: z.string(), createdAt: timeSchema }).openapi("Service");

export const serviceListSchema = z.object({ services: z.array(serviceSchema), nextCursor: nextCursorSchema }).openapi("ServiceList");

export const servicesMadeSchema = z.union([serviceSchema, z.object({ services: z.array(serviceSchema) })]);

export const serviceQuerySchema = z.strictObject({ limit: limitSchema, cursor: cursorSchema.optional() });
