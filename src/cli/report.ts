import { loadConfig } from "../config.ts";
import { ApiUnreachable, createApiClient, NotAuthenticated, UnexpectedAnswer } from "./kit/api-client.ts";
import { findApiUrl } from "./kit/api-url.ts";
import { runCommand, secondsAsMs, UsageError } from "./kit/command.ts";
import { createTokenSource } from "./kit/operator-token.ts";
import { printableLines } from "./kit/printable.ts";
import { listMonths, makeReport, renderReport, ReportNotMade, revenueByCurrency, type CompletedReport } from "./report/make-report.ts";

const USAGE = `npm run report -- MONTH [options]

Makes the revenue report of a month (yyyy-mm, such as 1997-01), prints it, and says where its CSV is.

  --all               every month that has revenue, instead of one
  --json              print [{"month","currency","lines":[{"service","revenue","count"}],"total"}], one element per month and currency
  --timeout SECONDS   how long to wait for one report (default: 600)
  --api URL           the API's address (default: the system that runs from DATA_DIR, else HTTP_PORT)
  --help              print this
`;

process.exitCode = await runCommand({
  name: "report",
  usage: USAGE,
  maxPositionals: 1,
  options: {
    all: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    timeout: { type: "string", default: "600" },
    api: { type: "string" },
  },
  expected: [ApiUnreachable, NotAuthenticated, UnexpectedAnswer, ReportNotMade],
  run: async ({ values, positionals: [month] }) => {
    if ((month === undefined) !== values.all) throw new UsageError("name one month, or say --all");
    await run(month, values);
    return 0;
  },
});

async function run(month: string | undefined, options: { json: boolean; timeout: string; api?: string | undefined }): Promise<void> {
  const timeoutMs = secondsAsMs("--timeout", options.timeout);
  const config = loadConfig();
  const baseUrl = findApiUrl(config, options.api);
  if (!URL.canParse(baseUrl)) throw new UsageError("--api takes an address such as http://127.0.0.1:8080");
  const api = createApiClient({ baseUrl, token: createTokenSource(config, { baseUrl, subject: "report", roles: ["admin"] }) });
  const months = month === undefined ? await listMonths(api) : [month];
  const reports: CompletedReport[] = [];
  for (const [place, one] of months.entries()) {
    const onStage = (stage: string) => void (options.json || process.stderr.write(`[${place + 1}/${months.length}] ${one}: ${stage}\n`));
    const report = await makeReport(api, { month: one, timeoutMs, onStage });
    reports.push(report);
    if (!options.json) process.stdout.write(`${renderReport(report, new URL(report.links.csv, baseUrl).href)}\n\n`);
  }
  if (options.json) process.stdout.write(`${printableLines(JSON.stringify(reports.flatMap(revenueByCurrency)))}\n`);
  else if (months.length === 0) process.stdout.write("No month has revenue.\n");
}
