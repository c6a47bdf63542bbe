import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { brokerList } from "../adapters/kafka/kafka.ts";
import { openReadingCodec } from "../adapters/payload-codec/payload-protection.ts";
import { loadConfig, type Config } from "../config.ts";
import { kafkaSecurity, temporalSecurity } from "../config/server-variables.ts";
import { readRunning } from "../stack/running.ts";
import { runCommand, UsageError, wholeNumber } from "./kit/command.ts";
import { createNumberFinder, createTextFinder, type Finder } from "./leak/finder.ts";
import { PLACES, scanForLeaks, type LeakAddresses, type LeakReport, type Place, type PlaceResult } from "./leak/scan.ts";

const USAGE = `npm run leak-scan -- --number NUMBER | --text TEXT [--only PLACES] [--max-messages N] [--json]

Pay with a card number that nothing else has, then search for it everywhere: ${PLACES.join(", ")}.
It is found in its plain, spaced, dashed, base64 and hex spellings, and never printed. Exit code 0: it stands nowhere; 1: it was
found; 2: it was called wrongly, or a place could not be searched.

  --number NUMBER    12 to 19 digits, also with spaces or dashes; - reads it from stdin, so that no list of processes shows it
  --text TEXT        any other secret of at least 8 characters; - reads it from stdin
  --only PLACES      some of the places, with commas between
  --max-messages N   how many messages of each Kafka partition are read, from its end (default 1000000)
  --json             print the report as JSON
  --help             print this
`;

process.exitCode = await runCommand({
  name: "leak-scan",
  usage: USAGE,
  options: {
    number: { type: "string" },
    text: { type: "string" },
    only: { type: "string" },
    "max-messages": { type: "string", default: "1000000" },
    json: { type: "boolean", default: false },
  },
  // `run` refuses words without an option: the parser's own message would repeat the word, which may be the card number.
  maxPositionals: 100,
  failureCode: 2,
  run: async ({ values, positionals }) => {
    if (positionals.length > 0) throw new UsageError("the number belongs behind --number");
    const report = await scanForLeaks({
      finder: await finderOf(values),
      addresses: addressesOf(loadConfig()),
      only: placesOf(values.only),
      maxMessages: wholeNumber("--max-messages", values["max-messages"], { min: 1, max: 1_000_000_000 }),
    });
    process.stdout.write(values.json ? `${JSON.stringify(report, undefined, 2)}\n` : describe(report));
    if (report.found) return 1;
    if (report.empty)
      process.stderr.write("Nothing could be searched: no server is known and no file was found. Is DATA_DIR right, and does Saldo run?\n");
    return report.complete ? 0 : 2;
  },
});

async function finderOf(values: { number?: string | undefined; text?: string | undefined }): Promise<Finder> {
  if ((values.number === undefined) === (values.text === undefined)) throw new UsageError("give either --number or --text");
  const given = values.number ?? values.text ?? "";
  const secret = given === "-" ? (await text(process.stdin)).trim() : given;
  if (values.number === undefined) {
    if (secret.length < 8) throw new UsageError("--text takes at least 8 characters: a shorter text stands everywhere by chance");
    return createTextFinder(secret);
  }
  if (!/^\d{12,19}$/.test(secret.replaceAll(/[ -]/g, ""))) throw new UsageError("--number takes 12 to 19 digits");
  return createNumberFinder(secret);
}

function placesOf(only: string | undefined): Place[] | undefined {
  return only?.split(",").map((name) => {
    const place = PLACES.find((each) => each === name.trim());
    if (place === undefined) throw new UsageError(`--only takes some of ${PLACES.join(", ")}`);
    return place;
  });
}

function addressesOf(config: Config): LeakAddresses {
  const dataDir = resolve(config.DATA_DIR);
  const running = readRunning(dataDir);
  const temporalAddress = config.TEMPORAL_ADDRESS ?? running?.temporalAddress;
  const brokers = config.KAFKA_BROKERS === undefined ? running?.kafkaBrokers : brokerList(config.KAFKA_BROKERS);
  const pspUrl = config.PSP_URL ?? running?.pspUrl;
  const pspApiKey = config.PSP_API_KEY ?? running?.pspApiKey;
  return {
    // The owner may read every table, and may ask Postgres where its files lie.
    databaseUrl: config.DATABASE_ADMIN_URL ?? config.DATABASE_URL ?? running?.databaseAdminUrl,
    redisUrl: config.REDIS_URL ?? running?.redisUrl,
    kafka: brokers === undefined ? undefined : { brokers, security: kafkaSecurity(config) },
    temporal:
      temporalAddress === undefined
        ? undefined
        : {
            address: temporalAddress,
            namespace: config.TEMPORAL_NAMESPACE,
            codec: openReadingCodec(config),
            ...temporalSecurity(config),
          },
    psp: pspUrl === undefined || pspApiKey === undefined ? undefined : { url: pspUrl, apiKey: pspApiKey },
    folders: [
      dataDir,
      ...(running === undefined ? [] : [running.logDir]),
      ...(config.REPORTS_DIR === undefined ? [] : [config.REPORTS_DIR]),
    ],
  };
}

function describe(report: LeakReport): string {
  const lines = report.places.flatMap(describePlace);
  const verdict = report.found
    ? "FOUND: it stands where it must not."
    : report.complete
      ? "It stands nowhere."
      : report.empty
        ? "Nothing was searched."
        : "Not found, but not everything could be searched.";
  return `${lines.join("\n")}\n${verdict}\n`;
}

function describePlace(result: PlaceResult): string[] {
  if ("failed" in result) return [`? ${result.place.padEnd(9)} could not be searched: ${result.failed}`];
  const { place, looked, findings } = result;
  return [
    `${findings.length === 0 ? "✓" : "✗"} ${place.padEnd(9)} ${looked}`,
    ...findings.map(({ where, spelling }) => `    ${spelling}: ${where}`),
  ];
}
