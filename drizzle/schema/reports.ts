import { sql } from "drizzle-orm";
import { boolean, check, foreignKey, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { minor, moment } from "../column-types.ts";

/** One immutable version of a month's revenue. */
export const reports = pgTable(
  "reports",
  {
    month: text("month").notNull(),
    version: integer("version").notNull(),
    status: text("status").notNull(),
    timeZone: text("time_zone").notNull(),
    partial: boolean("partial").notNull(),
    watermark: text("watermark"),
    sha256: text("sha256"),
    fileName: text("file_name"),
    lineCount: integer("line_count"),
    workflowId: text("workflow_id").notNull(),
    correlationId: text("correlation_id").notNull(),
    failureCode: text("failure_code"),
    /** The version of Saldo that added it up and wrote its file. */
    codeVersion: text("code_version"),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    completedAt: moment("completed_at"),
  },
  (table) => [
    primaryKey({ columns: [table.month, table.version] }),
    check("reports_status", sql`${table.status} in ('running', 'completed', 'failed')`),
    check(
      "reports_complete",
      sql`${table.status} <> 'completed' or (${table.watermark} is not null and ${table.sha256} is not null and ${table.fileName} is not null)`,
    ),
  ],
);

export const reportLines = pgTable(
  "report_lines",
  {
    month: text("month").notNull(),
    version: integer("version").notNull(),
    currency: text("currency").notNull(),
    serviceId: text("service_id").notNull(),
    serviceName: text("service_name").notNull(),
    revenueMinor: minor("revenue_minor").notNull(),
    saleCount: minor("sale_count").notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.month, table.version, table.currency, table.serviceId, table.serviceName] }),
    foreignKey({ name: "report_lines_report", columns: [table.month, table.version], foreignColumns: [reports.month, reports.version] }),
  ],
);
