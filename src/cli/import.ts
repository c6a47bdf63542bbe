import { createReadStream, existsSync } from "node:fs";
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
import { brokerList, createKafka } from "../adapters/kafka.ts";
import { SILENT_LOG } from "../adapters/log.ts";
import { ConfigError, loadConfig, type Config } from "../config.ts";
import { messageOf } from "../errors.ts";
import { isCurrency } from "../money.ts";
import { readRunning } from "../stack/running.ts";
import { createDatabase } from "../store/database.ts";
import { importPurchases, ImportTimeout, type ImportTally } from "./import-purchases.ts";
import { createProgressBar, type ProgressStream } from "./progress-bar.ts";
import { CsvFileError, readPurchaseCsv, type BadRow } from "./purchase-csv.ts";

const USAGE = `npm run import -- FILE [options]

Produces the purchases of a CSV file to Kafka, waits until they are in the ledger, and counts what became of them.

  --source NAME       the name of the source; with a row's line it identifies the row (default: the file's name)
  --topic NAME        where to produce (default: KAFKA_TOPIC)
  --currency CODE     for an amount column that names no currency (default: DEFAULT_CURRENCY)
  --timeout SECONDS   how long to wait after the last row was produced (default: 600)
  --json              print one JSON object and no progress
  --help              print this

Columns, by the header: user_id or customer_id; date or transaction_date (a date without a time is that day in REPORT_TZ);
amount or amount_<currency>; optional service_id or service, order_id, event_id, payment_method, username.
`;

const MAX_BAD_ROWS_SHOWN = 100;
const NO_STREAM: ProgressStream = { write: () => true };

/** What ends the command with a sentence and no stack. */
class UsageError extends Error {
  override readonly name = "UsageError";
}

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { values, positionals } = readArguments();
    if (values.help === true) {
      process.stdout.write(USAGE);
      return 0;
    }
    const [path] = positionals;
    if (path === undefined || positionals.length > 1) throw new UsageError(`name one file.\n\n${USAGE}`);
    return await run(path, values);
  } catch (error) {
    const expected =
      error instanceof UsageError || error instanceof ConfigError || error instanceof CsvFileError || error instanceof ImportTimeout;
    process.stderr.write(`import: ${expected ? messageOf(error) : `it failed: ${messageOf(error)}`}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        source: { type: "string" },
        topic: { type: "string" },
        currency: { type: "string" },
        timeout: { type: "string", default: "600" },
        json: { type: "boolean", default: false },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    throw new UsageError(`${messageOf(error)}\n\n${USAGE}`);
  }
}

type Options = ReturnType<typeof readArguments>["values"];

async function run(path: string, options: Options): Promise<number> {
  const config = loadConfig();
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`);
  const currency = options.currency ?? config.DEFAULT_CURRENCY;
  if (!isCurrency(currency)) throw new UsageError(`--currency ${currency} is not a known currency`);
  const timeoutMs = Number(options.timeout) * 1000;
  if (!(timeoutMs > 0)) throw new UsageError("--timeout takes seconds above zero");

  const addresses = findAddresses(config);
  const kafka = createKafka({ brokers: addresses.brokers, clientId: "saldo-import", logger: SILENT_LOG });
  const database = createDatabase({ url: addresses.databaseUrl, name: "import", laneCount: 1, deadlineMs: 60_000 });
  const producer = kafka.createProducer();
  const badRows: BadRow[] = [];
  const bars = createBars(options.json ? NO_STREAM : process.stderr, await countRows(path));
  const startedAtMs = performance.now();
  try {
    const rows = readPurchaseCsv({
      path,
      source: options.source ?? basename(path),
      currency,
      timeZone: config.REPORT_TZ,
      onBadRow: (row) => badRows.push(row),
    });
    const topic = options.topic ?? config.KAFKA_TOPIC;
    const tally = await importPurchases(
      { kafka, producer, db: database.db, topic, group: config.KAFKA_GROUP, progress: bars, nowMs: () => performance.now() },
      rows,
      timeoutMs,
    );
    bars.finish();
    report(options.json, path, tally, badRows, performance.now() - startedAtMs);
    return tally.missing === 0 ? 0 : 1;
  } finally {
    bars.finish();
    await Promise.allSettled([producer.close(), kafka.close(), database.close()]);
  }
}

function findAddresses(config: Config): { brokers: string[]; databaseUrl: string } {
  const running = readRunning(resolve(config.DATA_DIR));
  const brokers = config.KAFKA_BROKERS === undefined ? [...(running?.kafkaBrokers ?? [])] : brokerList(config.KAFKA_BROKERS);
  const databaseUrl = config.DATABASE_URL ?? running?.databaseUrl;
  if (databaseUrl === undefined) throw new UsageError("Saldo does not run here: `npm start` first, or set DATABASE_URL and KAFKA_BROKERS");
  if (brokers.length === 0)
    throw new UsageError("Kafka does not run here, so nothing can be imported: `npm run doctor` says what is missing");
  return { brokers, databaseUrl };
}

// Lines less the header: quoted line breaks make it too many, which only the progress bar notices.
async function countRows(path: string): Promise<number> {
  let lines = 0;
  let last = 0x0a;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) lines += 1;
    last = chunk.at(-1) ?? last;
  }
  return Math.max(0, lines + (last === 0x0a ? 0 : 1) - 1);
}

function createBars(stream: ProgressStream, rowCount: number) {
  const produced = createProgressBar({ label: "to Kafka  ", unit: "rows", total: rowCount, stream });
  let consumed: ReturnType<typeof createProgressBar> | undefined;
  return {
    produced: (rows: number) => produced.update(rows),
    consumed(messages: number, of: number) {
      produced.finish();
      consumed ??= createProgressBar({ label: "to ledger ", unit: "rows", total: of, startsAt: messages, stream });
      consumed.update(messages);
    },
    finish() {
      produced.finish();
      consumed?.finish();
    },
  };
}

function report(json: boolean, path: string, tally: ImportTally, badRows: readonly BadRow[], elapsedMs: number): void {
  const seconds = Math.round(elapsedMs / 100) / 10;
  if (json) {
    process.stdout.write(
      `${JSON.stringify({ file: path, ...tally, badRows: badRows.length, badRowLines: badRows.slice(0, MAX_BAD_ROWS_SHOWN), seconds })}\n`,
    );
    return;
  }
  for (const { line, reason } of badRows.slice(0, MAX_BAD_ROWS_SHOWN)) process.stderr.write(`line ${line}: ${reason}\n`);
  if (badRows.length > MAX_BAD_ROWS_SHOWN)
    process.stderr.write(`and ${badRows.length - MAX_BAD_ROWS_SHOWN} more rows that are no purchases\n`);
  const counts = [
    ["produced", tally.produced],
    ["applied", tally.applied],
    ["duplicate", tally.duplicates],
    ["refused", tally.refused],
    ["dead-lettered", tally.deadLettered],
    ["not produced", badRows.length],
  ] as const;
  process.stdout.write(
    `\n${counts.map(([name, count]) => `${name.padEnd(14)} ${count.toLocaleString("en-US").padStart(12)}`).join("\n")}\n`,
  );
  const verdict = tally.missing === 0 ? "The figures add up." : `${tally.missing} rows are unaccounted for.`;
  process.stdout.write(`\n${verdict} ${seconds} s\n`);
}
