import { createRoute, z } from "@hono/zod-openapi";
import { timeSchema } from "../http/common-schemas.ts";

const selfAuditSchema = z
  .object({
    at: timeSchema,
    ok: z.boolean(),
    findings: z.array(
      z.object({
        check: z.string(),
        title: z.string(),
        level: z.enum(["broken", "warning"]),
        checked: z.string(),
        broken: z.string().openapi({ description: "How many are wrong and stay so." }),
        repaired: z.string().openapi({ description: "How many were wrong and have been put right." }),
        examples: z.array(z.string()),
      }),
    ),
  })
  .openapi("SelfAudit");

const auditSchema = z
  .object({
    ok: z.boolean(),
    startedAt: timeSchema,
    durationMs: z.number().int(),
    findings: z.array(
      z.object({
        invariant: z.string().openapi({ example: "I1" }),
        title: z.string(),
        ok: z.boolean(),
        checked: z.string().openapi({ description: "How many things it was asked of.", example: "10000" }),
        broken: z.string().openapi({ description: "How many of them break it.", example: "0" }),
        examples: z.array(z.string()).openapi({ description: "The first of those, in words." }),
      }),
    ),
    lastSelfAudit: selfAuditSchema.optional().openapi({
      description:
        "The newest run of the scheduled self-audit, which also looks at workflows and at messages that wait to be published. Absent before the first.",
    }),
  })
  .openapi("Audit");

export const auditRoute = createRoute({
  method: "get",
  path: "/api/v1/audit",
  operationId: "audit",
  tags: ["operations"],
  summary: "Prove the books from their postings, now",
  description:
    "What `npm run audit` finds. It reads every posting; requests at the same time share one run. The status is 200 whatever it finds.",
  responses: { 200: { description: "How each invariant stands.", content: { "application/json": { schema: auditSchema } } } },
});
