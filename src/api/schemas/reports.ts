import { z } from "@hono/zod-openapi";
import { REPORT_DELIMITERS, type ReportDelimiter } from "../../domain/report-csv.ts";
import { decimalSchema, timeSchema } from "./common.ts";

const monthSchema = z.string().max(16).openapi({ example: "2026-10", description: "yyyy-mm, in REPORT_TZ." });

const versionSchema = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, "must be a whole number from 1")
  .transform(Number)
  .openapi({ type: "integer", minimum: 1, description: "Without it the newest that is completed." });

const DELIMITER_NAMES: Readonly<Record<string, ReportDelimiter>> = { semicolon: ";", comma: ",", tab: "\t" };

const delimiterSchema = z
  .string()
  .transform((text, context): ReportDelimiter => {
    const delimiter = DELIMITER_NAMES[text] ?? REPORT_DELIMITERS.find((one) => one === text);
    if (delimiter !== undefined) return delimiter;
    context.addIssue({ code: "custom", message: "must be semicolon, comma or tab" });
    return z.NEVER;
  })
  .openapi({ type: "string", enum: [...Object.keys(DELIMITER_NAMES), ...REPORT_DELIMITERS], default: "semicolon" });

export const reportBodySchema = z.strictObject({ month: monthSchema }).openapi("NewRevenueReport");

export const reportParamsSchema = z.object({ month: monthSchema });

export const reportQuerySchema = z.strictObject({ version: versionSchema.optional() });

export const reportCsvQuerySchema = z.strictObject({
  version: versionSchema.optional(),
  delimiter: delimiterSchema.optional(),
  header: z.enum(["true", "false"], "must be true or false").optional(),
});

const reportLinksSchema = z.object({ self: z.string(), csv: z.string() });
const statusSchema = z.enum(["running", "completed", "failed"]);

export const reportAcceptedSchema = z
  .object({ month: z.string(), version: z.number().int(), status: z.literal("running"), links: reportLinksSchema })
  .openapi("RevenueReportAccepted", { description: "The version is being made; ask at `links.self`." });

const versionSummarySchema = z.object({
  version: z.number().int(),
  status: statusSchema,
  partial: z.boolean().openapi({ description: "The month still ran when the version was asked for." }),
  sha256: z.string().optional().openapi({ description: "Of the CSV as it is written without options." }),
  watermark: z.string().optional().openapi({ description: "The Postgres snapshot whose postings are in it." }),
  lineCount: z.number().int().optional(),
  failureCode: z.string().optional(),
  createdAt: timeSchema,
  completedAt: timeSchema.optional(),
  links: reportLinksSchema,
});

export const reportSchema = versionSummarySchema
  .extend({
    month: z.string(),
    timeZone: z.string(),
    progress: z.object({ stage: z.string() }).optional().openapi({ description: "Only while this version is being made." }),
    lines: z.array(
      z.object({ currency: z.string(), serviceId: z.string(), serviceName: z.string(), revenue: decimalSchema, count: z.number().int() }),
    ),
    totals: z.array(z.object({ currency: z.string(), revenue: decimalSchema })),
    versions: z.array(versionSummarySchema).openapi({ description: "Every version of the month, the newest first." }),
  })
  .openapi("RevenueReport");

export const reportMonthsSchema = z
  .object({ months: z.array(z.object({ month: z.string(), newest: versionSummarySchema.optional() })) })
  .openapi("RevenueMonths", { description: "The months that have revenue, oldest first, with the newest version of their report." });
