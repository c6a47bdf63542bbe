import { statSync } from "node:fs";
import { basename, resolve } from "node:path";
import { brokerList, createKafka } from "../adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../adapters/log.ts";
import { isCurrency } from "../base/money.ts";
import { loadConfig, type Config } from "../config.ts";
import { kafkaSecurity } from "../config/server-variables.ts";
import { placeTopic } from "../contract/ids.ts";
import { readRunning } from "../stack/running.ts";
import { readImportFiles } from "../store/events/import-files.ts";
import { traceEvents, traceOrders } from "../store/events/import-tally.ts";
import { numberOfIncarnation } from "../store/events/topic-incarnations.ts";
import { createDatabase, type Db } from "../store/postgres/database.ts";
import { createBadRows, type BadRows } from "./import/bad-rows.ts";
import { checkEventCsv } from "./import/check-event-csv.ts";
import { claimSource, createUnnamedRowsReader, OverlappingFile } from "./import/claim-source.ts";
import type { ImportTally } from "./import/count-fates.ts";
import type { RowKind } from "./import/csv-columns.ts";
import { CsvFileError } from "./import/csv-rows.ts";
import { readEventCsv } from "./import/event-csv.ts";
import { importEvents, ImportTimeout } from "./import/import-events.ts";
import { importExitCode } from "./import/import-exit-code.ts";
import { CommandFailure, runCommand, secondsAsMs, UsageError, type CommandInput } from "./kit/command.ts";
import { createProgressBar, type ProgressStream } from "./kit/progress-bar.ts";

const USAGE = `npm run import -- FILE [options]

Produces the events of a CSV file to Kafka, waits until they have taken effect, and counts what became of them.

  --source NAME       the name of the source; with the rows up to it, it identifies a row that has no event_id (default: the
                      file's name). A file with such rows must begin with those that its source brought before, in their
                      order; one with a new row on top, a changed row or other rows is refused
  --topic NAME        purchases (default), loyalty.transactions or orders.requested, or as they are configured
  --currency CODE     for rows whose currency no column names (default: DEFAULT_CURRENCY)
  --timeout SECONDS   how long to wait after the last row was produced (default: 600)
  --json              print one JSON object and no progress
  --help              print this

Exit code 0: every row was produced and its outcome is known: booked, refused or a dead letter, by this import or by an
earlier one (look at the counts; dead letters are counted by code); 1: the outcome of a row is not known, or the file could
not be imported; 2: a wrong option; 3: a row of the file was no event and was not produced, or no row of the file took effect.

Columns, by the header; of names with "or" between them one is enough:
  every kind             user_id or customer_id; amount or amount_<currency>; optional event_id or transaction_id
  money                  optional currency: a row's own, such as USD; a row of an unknown one is not produced
  purchases              date or transaction_date or occurred_at (without a time it is that day in REPORT_TZ);
                         optional service_id or service, order_id, payment_method, username
  loyalty.transactions   date as above; type (accrual or redemption); optional comment; amounts are whole points
  orders.requested       order_id; service_id or service; optional quantity, comment; a row is an order of one line
`;

const MAX_BAD_ROWS_SHOWN = 100;
const OPTIONS = {
  source: { type: "string" },
  topic: { type: "string" },
  currency: { type: "string" },
  timeout: { type: "string", default: "600" },
  json: { type: "boolean", default: false },
} as const;
const NO_STREAM: ProgressStream = { write: () => true };

process.exitCode = await runCommand({
  name: "import",
  usage: USAGE,
  maxPositionals: 1,
  options: OPTIONS,
  expected: [CsvFileError, ImportTimeout, OverlappingFile],
  run: ({ values, positionals: [path] }) => {
    if (path === undefined) throw new UsageError("name one file");
    return run(path, values);
  },
});

type Options = CommandInput<typeof OPTIONS>["values"];

async function run(path: string, options: Options): Promise<number> {
  const config = loadConfig();
  requireFile(path);
  const currency = options.currency ?? config.DEFAULT_CURRENCY;
  if (!isCurrency(currency)) throw new UsageError(`--currency ${currency} is not a known currency`);
  const timeoutMs = secondsAsMs("--timeout", options.timeout);

  const topic = options.topic ?? config.KAFKA_TOPIC;
  const { kind, group } = kindOf(config, topic);
  const source = options.source ?? basename(path);
  const addresses = findAddresses(config);
  const database = createDatabase({ url: addresses.databaseUrl, name: "import", laneCount: 1, deadlineMs: 60_000 });
  const kafka = createKafka({ brokers: addresses.brokers, security: kafkaSecurity(config), clientId: "saldo-import", logger: SILENT_LOG });
  const producer = kafka.createProducer();
  const badRows = createBadRows(MAX_BAD_ROWS_SHOWN);
  let bars: Bars | undefined;
  try {
    const rowCount = await checkFile(database.db, { path, kind, topic, source });
    const startedAtMs = performance.now();
    bars = createBars({ stream: options.json ? NO_STREAM : process.stderr, rowCount, badRowCount: badRows.count });
    const tally = await importEvents(
      {
        kafka,
        producer,
        db: database.db,
        topic,
        group,
        placeTopic: async () => {
          const incarnation = await kafka.topicIncarnation(topic);
          return placeTopic(topic, incarnation === undefined ? 1 : await numberOfIncarnation(database.db, topic, incarnation));
        },
        trace: kind === "order" ? traceOrders : traceEvents,
        // An order's message is consumed when its saga has started; the outcome comes a little later.
        settleMs: kind === "order" ? timeoutMs : 0,
        progress: bars,
        onBadRow: badRows.add,
        nowMs: () => performance.now(),
      },
      (onBadRow) => readEventCsv({ path, kind, source, currency, timeZone: config.REPORT_TZ, onBadRow }),
      timeoutMs,
    );
    bars.finish();
    report(options.json, path, tally, badRows, performance.now() - startedAtMs);
    return importExitCode(tally, badRows.count());
  } finally {
    bars?.finish();
    await Promise.allSettled([producer.close(), kafka.close(), database.close()]);
  }
}

/** Reads the file once before anything is produced of it, keeps which rows its source brings, and answers how many rows it has. */
async function checkFile(db: Db, file: { path: string; kind: RowKind; topic: string; source: string }): Promise<number> {
  const known = await readImportFiles(db, file);
  const unnamed = createUnnamedRowsReader(known.map(({ rows }) => rows));
  const { rows, unreadColumns } = await checkEventCsv(file.path, file.kind, unnamed.add);
  if (rows === 0) throw new CsvFileError(`${file.path} has a header and no row: there is nothing to import`);
  if (unreadColumns.length > 0) process.stderr.write(`Nothing is read of the columns ${unreadColumns.join(", ")}.\n`);
  await claimSource(db, file, known, unnamed);
  return rows;
}

function kindOf(config: Config, topic: string): { kind: RowKind; group: string } {
  switch (topic) {
    case config.LOYALTY_TOPIC:
      return { kind: "loyalty", group: config.LOYALTY_GROUP };
    case config.ORDERS_TOPIC:
      return { kind: "order", group: config.ORDERS_GROUP };
    default:
      return { kind: "purchase", group: config.KAFKA_GROUP };
  }
}

function findAddresses(config: Config): { brokers: string[]; databaseUrl: string } {
  const running = readRunning(resolve(config.DATA_DIR));
  const brokers = config.KAFKA_BROKERS === undefined ? [...(running?.kafkaBrokers ?? [])] : brokerList(config.KAFKA_BROKERS);
  const databaseUrl = config.DATABASE_URL ?? running?.databaseUrl;
  if (databaseUrl === undefined)
    throw new CommandFailure("Saldo does not run here: `npm start` first, or set DATABASE_URL and KAFKA_BROKERS");
  if (brokers.length === 0)
    throw new CommandFailure("Kafka does not run here, so nothing can be imported: `npm run doctor` says what is missing");
  return { brokers, databaseUrl };
}

function requireFile(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new UsageError(`there is no file ${path}`);
  if (!found.isFile()) throw new UsageError(`${path} is ${found.isDirectory() ? "a folder" : "no file"}; name a CSV file`);
}

type Bars = ReturnType<typeof createBars>;

function createBars(options: { stream: ProgressStream; rowCount: number; badRowCount: () => number }) {
  const { stream, rowCount } = options;
  const produced = createProgressBar({ label: "to Kafka  ", unit: "rows", total: rowCount, stream });
  let consumed: ReturnType<typeof createProgressBar> | undefined;
  return {
    produced: (rows: number) => produced.update(rows + options.badRowCount()),
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

function remarksOn({ deadLettered, deadLetterCodes, earlier }: ImportTally): string {
  const remarks: string[] = [];
  const byCode = Object.entries(deadLetterCodes).map(([code, count]) => `${count} ${code}`);
  if (deadLettered > 0) remarks.push(`Dead letters: ${byCode.join(", ")}. \`npm run dlq -- list\` shows them with their reasons.`);
  const standing = [
    ...(earlier.refused === 0 ? [] : [`${earlier.refused} were refused`]),
    ...(earlier.deadLettered === 0 ? [] : [`${earlier.deadLettered} became dead letters (\`npm run dlq -- list\`)`]),
  ];
  if (standing.length > 0)
    remarks.push(`Of the duplicates ${standing.join(" and ")} when they were first read, and this import changed nothing about it.`);
  return remarks.map((remark) => `${remark}\n`).join("");
}

function report(json: boolean, path: string, tally: ImportTally, badRows: BadRows, elapsedMs: number): void {
  const seconds = Math.round(elapsedMs / 100) / 10;
  if (json) {
    process.stdout.write(`${JSON.stringify({ file: path, ...tally, badRows: badRows.count(), badRowLines: badRows.first(), seconds })}\n`);
    return;
  }
  for (const { line, reason } of badRows.first()) process.stderr.write(`line ${line}: ${reason}\n`);
  if (badRows.count() > MAX_BAD_ROWS_SHOWN)
    process.stderr.write(`and ${badRows.count() - MAX_BAD_ROWS_SHOWN} more rows that are no events\n`);
  const counts = [
    ["produced", tally.produced],
    ["applied", tally.applied],
    ["duplicate", tally.duplicates],
    ["refused", tally.refused],
    ["dead-lettered", tally.deadLettered],
    ["not produced", badRows.count()],
  ] as const;
  process.stdout.write(
    `\n${counts.map(([name, count]) => `${name.padEnd(14)} ${count.toLocaleString("en-US").padStart(12)}`).join("\n")}\n`,
  );
  const notProduced = badRows.count() === 0 ? "" : ` ${badRows.count()} rows of the file are no events and were not imported.`;
  const verdict =
    tally.missing === 0 ? `The figures add up.${notProduced}` : `The outcome of ${tally.missing} rows is not known.${notProduced}`;
  process.stdout.write(`\n${verdict} ${seconds} s\n${remarksOn(tally)}`);
}
