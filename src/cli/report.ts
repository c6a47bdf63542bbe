import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { ConfigError, loadConfig } from "../config.ts";
import { messageOf } from "../errors.ts";
import { readRunning } from "../stack/running.ts";
import { ApiUnreachable, createApiClient, UnexpectedAnswer } from "./api-client.ts";
import { listMonths, makeReport, renderReport, ReportNotMade, revenueByCurrency, type CompletedReport } from "./make-report.ts";

const USAGE = `npm run report -- MONTH [options]

Has the revenue report of a month made (yyyy-mm, such as 1997-01), prints it, and says where its CSV is.

  --all               every month that has revenue, instead of one
  --json              print [{"month","currency","lines":[{"service","revenue","count"}],"total"}], one element per month and currency
  --timeout SECONDS   how long to wait for one report (default: 600)
  --api URL           the API's address (default: the system that runs from DATA_DIR, else http://127.0.0.1:8080)
  --help              print this
`;

/** What ends the command with a sentence and no stack. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { values, positionals } = readArguments();
    if (values.help) {
      process.stdout.write(USAGE);
      return 0;
    }
    const [month] = positionals;
    if (positionals.length > 1 || (month === undefined) !== values.all) throw new UsageError(`name one month, or say --all.\n\n${USAGE}`);
    await run(month, values);
    return 0;
  } catch (error) {
    const expected = [UsageError, ConfigError, ApiUnreachable, UnexpectedAnswer, ReportNotMade].some((known) => error instanceof known);
    process.stderr.write(`report: ${expected ? messageOf(error) : `it failed: ${messageOf(error)}`}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        all: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        timeout: { type: "string", default: "600" },
        api: { type: "string" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\n\n${USAGE}`);
  }
}

async function run(month: string | undefined, options: { json: boolean; timeout: string; api?: string | undefined }): Promise<void> {
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs > 0)) throw new UsageError("--timeout takes seconds above zero");
  const baseUrl = options.api ?? defaultApiUrl();
  if (!URL.canParse(baseUrl)) throw new UsageError("--api takes an address such as http://127.0.0.1:8080");
  const api = createApiClient({ baseUrl });
  const months = month === undefined ? await listMonths(api) : [month];
  const reports: CompletedReport[] = [];
  for (const [place, one] of months.entries()) {
    const onStage = (stage: string) => void (options.json || process.stderr.write(`[${place + 1}/${months.length}] ${one}: ${stage}\n`));
    const report = await makeReport(api, { month: one, timeoutMs, onStage });
    reports.push(report);
    if (!options.json) process.stdout.write(`${renderReport(report, new URL(report.links.csv, baseUrl).href)}\n\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify(reports.flatMap(revenueByCurrency))}\n`);
  else if (months.length === 0) process.stdout.write("No month has revenue.\n");
}

function defaultApiUrl(): string {
  return readRunning(resolve(loadConfig().DATA_DIR))?.apiUrl ?? "http://127.0.0.1:8080";
}
