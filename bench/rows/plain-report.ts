import { execFile } from "node:child_process";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { findOnPath } from "../../src/stack/processes/run-command.ts";
import { asAdmin } from "../system/database.ts";

export interface PlainReport {
  /** What made the file: `psql \copy`, or `COPY through postgres.js` on a machine without psql. */
  readonly driver: string;
  /** Writes the month's sums to the file and returns their total in minor units. */
  make(file: string): Promise<{ seconds: number; revenueMinor: number }>;
}

const DEADLINE_MS = 120_000;

/** The baseline of a report: the same GROUP BY over the same month. */
export async function createPlainReport(adminUrl: string, month: { readonly from: string; readonly to: string }): Promise<PlainReport> {
  const psql = await findOnPath("psql");
  const query = `select service_name, sum(revenue_minor) from postings where service_id is not null and effective_at >= '${month.from}' and effective_at < '${month.to}' group by currency, service_id, service_name order by currency collate "C", service_name collate "C", service_id`;
  const write = psql === undefined ? byDriver : byPsql(psql);
  return {
    driver: psql === undefined ? "COPY through postgres.js" : "psql \\copy",
    async make(file) {
      const startedAtMs = performance.now();
      await write(adminUrl, query, file);
      const seconds = (performance.now() - startedAtMs) / 1_000;
      const lines = (await readFile(file, "utf8")).trim().split("\n");
      return { seconds, revenueMinor: lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(";") + 1)), 0) };
    },
  };
}

function byPsql(program: string) {
  return (adminUrl: string, query: string, file: string): Promise<void> => {
    const url = new URL(adminUrl);
    const args = [
      `--host=${url.hostname}`,
      `--port=${url.port}`,
      `--username=${decodeURIComponent(url.username)}`,
      `--dbname=${url.pathname.slice(1)}`,
      "--no-psqlrc",
      "--quiet",
      "--set=ON_ERROR_STOP=1",
      "--command",
      `\\copy (${query}) to '${file}' with (format csv, delimiter ';')`,
    ];
    const env = { PATH: "/usr/bin:/bin", PGPASSWORD: decodeURIComponent(url.password) };
    return new Promise((resolve, reject) => {
      execFile(program, args, { env, timeout: DEADLINE_MS }, (error, stdout, stderr) => {
        if (error === null) resolve();
        else reject(new Error(`psql failed: ${`${stdout}${stderr}`.slice(-1_000)}`));
      });
    });
  };
}

async function byDriver(adminUrl: string, query: string, file: string): Promise<void> {
  await asAdmin(adminUrl, async (sql) => {
    const rows = await sql.unsafe(`copy (${query}) to stdout with (format csv, delimiter ';')`).readable();
    await pipeline(rows, createWriteStream(file));
  });
}
