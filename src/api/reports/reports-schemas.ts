import { createRoute, z } from "@hono/zod-openapi";
import { REPORT_DELIMITERS, type ReportDelimiter } from "../../domain/reports/report-csv.ts";
import { decimalSchema, timeSchema } from "../http/common-schemas.ts";
import { idempotencyHeader } from "../http/idempotency.ts";

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

const reportBodySchema = z.strictObject({ month: monthSchema }).openapi("NewRevenueReport");

const reportParamsSchema = z.object({ month: monthSchema });

const reportQuerySchema = z.strictObject({ version: versionSchema.optional() });

const reportCsvQuerySchema = z.strictObject({
  version: versionSchema.optional(),
  delimiter: delimiterSchema.optional(),
  header: z.enum(["true", "false"], "must be true or false").optional(),
  bom: z.enum(["true", "false"], "must be true or false").optional().openapi({
    description: "`true` puts a byte order mark first, by which a spreadsheet knows that the file is UTF-8. Without it there is none.",
  }),
});

const reportLinksSchema = z.object({ self: z.string(), csv: z.string() });
const statusSchema = z.enum(["running", "completed", "failed"]);

const reportAcceptedSchema = z
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
  codeVersion: z.string().optional().openapi({
    example: "0.1.0+3f6c1b2a9d0e",
    description: "The version of Saldo that made it, and the hash of its workflows and their rules.",
  }),
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

const reportMonthsSchema = z
  .object({ months: z.array(z.object({ month: z.string(), newest: versionSummarySchema.optional() })) })
  .openapi("RevenueMonths", { description: "The months that have revenue, oldest first, with the newest version of their report." });

const lineSchema = z.object({ currency: z.string(), serviceId: z.string(), serviceName: z.string() });
const sumSchema = z.object({ revenue: decimalSchema, count: z.number().int() });

export const reportDiffSchema = z
  .object({
    month: z.string(),
    from: z.number().int(),
    to: z.number().int(),
    added: z.array(lineSchema.extend(sumSchema.shape)),
    removed: z.array(lineSchema.extend(sumSchema.shape)),
    changed: z.array(lineSchema.extend({ from: sumSchema, to: sumSchema, difference: decimalSchema })),
    totals: z.array(z.object({ currency: z.string(), from: decimalSchema, to: decimalSchema, difference: decimalSchema })),
  })
  .openapi("RevenueReportDiff", { description: "Every line that is not the same in both versions." });

const reportDiffQuerySchema = z.strictObject({
  from: versionSchema.openapi({ type: "integer", minimum: 1, description: "The version before." }),
  to: versionSchema.openapi({ type: "integer", minimum: 1, description: "The version after." }),
});

export const orderReportRoute = createRoute({
  method: "post",
  path: "/api/v1/reports/revenue",
  operationId: "orderRevenueReport",
  tags: ["reports"],
  summary: "Make a new version of a month's revenue report",
  description: "A version that is being made is joined. A version never changes once it is completed.",
  request: {
    headers: idempotencyHeader.partial(),
    body: { required: true, content: { "application/json": { schema: reportBodySchema } } },
  },
  responses: { 202: { description: "It is being made.", content: { "application/json": { schema: reportAcceptedSchema } } } },
});

export const listReportMonthsRoute = createRoute({
  method: "get",
  path: "/api/v1/reports/revenue",
  operationId: "listRevenueMonths",
  tags: ["reports"],
  summary: "The months that have revenue",
  responses: { 200: { description: "The months.", content: { "application/json": { schema: reportMonthsSchema } } } },
});

export const readReportCsvRoute = createRoute({
  method: "get",
  path: "/api/v1/reports/revenue/{month}.csv",
  operationId: "getRevenueReportCsv",
  tags: ["reports"],
  summary: "A month's revenue per service as CSV",
  description:
    "`service name;revenue`, no header, unless asked otherwise. A report with more than one currency has the currency as a third column.",
  request: { params: reportParamsSchema, query: reportCsvQuerySchema },
  responses: { 200: { description: "The file.", content: { "text/csv": { schema: z.string() } } } },
});

export const readReportRoute = createRoute({
  method: "get",
  path: "/api/v1/reports/revenue/{month}",
  operationId: "getRevenueReport",
  tags: ["reports"],
  summary: "A month's revenue per service, its versions, and its progress while it is being made",
  request: { params: reportParamsSchema, query: reportQuerySchema },
  responses: { 200: { description: "The report.", content: { "application/json": { schema: reportSchema } } } },
});

export const diffReportRoute = createRoute({
  method: "get",
  path: "/api/v1/reports/revenue/{month}/diff",
  operationId: "diffRevenueReport",
  tags: ["reports"],
  summary: "What changed from one version of a month's report to another",
  request: { params: reportParamsSchema, query: reportDiffQuerySchema },
  responses: { 200: { description: "The differences.", content: { "application/json": { schema: reportDiffSchema } } } },
});

export const closeMonthRoute = createRoute({
  method: "post",
  path: "/api/v1/test-clock/reports/{month}",
  operationId: "advanceReportMonth",
  tags: ["test clock"],
  summary: "Let a month be over, to test what its close does",
  description:
    "Runs what the schedule runs on the first of the next month. The version it makes is not `partial`, also while the month still runs; what is sold later is in the next version. Not available in production.",
  request: { params: reportParamsSchema },
  responses: {
    202: {
      description: "The month is being closed.",
      content: {
        "application/json": {
          schema: z.object({ month: z.string(), links: z.object({ self: z.string() }) }).openapi("ClosingMonth"),
        },
      },
    },
  },
});
