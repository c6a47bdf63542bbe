import { z } from "@hono/zod-openapi";
import { problemSchema } from "../http/problem.ts";

export const healthSchema = z.object({ status: z.literal("ok") }).openapi("Health");

const partsSchema = z
  .array(
    z.object({
      name: z.string(),
      needed: z.boolean(),
      ok: z.boolean(),
      ms: z.number(),
      reason: z.string().optional().openapi({ description: "Why the part does not answer, where the cause is known." }),
      details: z.record(z.string(), z.string()).optional(),
    }),
  )
  .openapi({
    description: "The parts the API stands on; it is ready when the needed ones answer, and degraded when another one does not.",
  });

export const readySchema = z.object({ status: z.enum(["ready", "degraded"]), parts: partsSchema }).openapi("Ready");

export const notReadySchema = problemSchema.extend({ parts: partsSchema }).openapi("NotReady");

export const versionSchema = z.object({ name: z.string(), version: z.string(), node: z.string() }).openapi("Version");
