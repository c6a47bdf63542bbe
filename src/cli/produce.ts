import { resolve } from "node:path";
import { brokerList, createKafka } from "../adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../adapters/log.ts";
import { isCurrency } from "../base/money.ts";
import { loadConfig, type Config } from "../config.ts";
import { kafkaSecurity } from "../config/server-variables.ts";
import { SAGA_COMMANDS_TOPIC } from "../contract/topics.ts";
import { readRunning } from "../stack/running.ts";
import { CommandFailure, runCommand, secondsAsMs, UsageError, wholeNumber, type CommandInput } from "./kit/command.ts";
import { createProgressBar } from "./kit/progress-bar.ts";
import { loadEvent, type LoadKind, type LoadOptions } from "./produce/event-load.ts";
import { sendSteadily } from "./produce/steady-load.ts";

const USAGE = `npm run produce -- --topic NAME --rate N --seconds S [options]

Makes a steady load: N events a second of the kind that Saldo reads on this topic, for S seconds.

  --topic NAME        purchases, loyalty.transactions, orders.requested (or as they are configured), or saga.commands
  --rate N            events a second
  --seconds S         how long
  --users N           for how many users (default: 1000)
  --seed N            the same seed makes the same events, which are duplicates the second time (default: the Unix time).
                      A seed that is a past Unix time is also the date of the events, otherwise that is 2026-01-01
  --services A,B      the services that are bought; needed for orders
  --currency CODE     default: DEFAULT_CURRENCY
  --json              print one JSON object and no progress
  --help              print this
`;

const OPTIONS = {
  topic: { type: "string" },
  rate: { type: "string", default: "100" },
  seconds: { type: "string", default: "10" },
  users: { type: "string", default: "1000" },
  seed: { type: "string" },
  services: { type: "string", default: "" },
  currency: { type: "string" },
  json: { type: "boolean", default: false },
} as const;
const EARLIEST_SECONDS = Date.UTC(2000, 0, 1) / 1_000;

process.exitCode = await runCommand({ name: "produce", usage: USAGE, options: OPTIONS, run: ({ values }) => run(values) });

type Options = CommandInput<typeof OPTIONS>["values"];

async function run(options: Options): Promise<number> {
  const config = loadConfig();
  const topic = options.topic ?? config.KAFKA_TOPIC;
  const load = loadOf(config, topic, options);
  const rate = wholeNumber("--rate", options.rate, { min: 1, max: 100_000 });
  const total = Math.round((rate * secondsAsMs("--seconds", options.seconds)) / 1_000);
  const kafka = createKafka({
    brokers: findBrokers(config),
    security: kafkaSecurity(config),
    clientId: "saldo-produce",
    logger: SILENT_LOG,
  });
  const producer = kafka.createProducer();
  const stream = options.json ? { write: () => true } : process.stderr;
  const bar = createProgressBar({ label: topic, unit: "events", total, stream });
  const startedAtMs = performance.now();
  let sent = 0;
  try {
    await sendSteadily({
      rate,
      total,
      send: async (from, count) => {
        await producer.send(
          topic,
          Array.from({ length: count }, (_, place) => loadEvent(load, from + place)),
        );
      },
      onSent: (count) => {
        sent = count;
        bar.update(sent);
      },
    });
  } finally {
    bar.finish();
    await Promise.allSettled([producer.close(), kafka.close()]);
  }
  const seconds = Math.round((performance.now() - startedAtMs) / 100) / 10;
  const result = { topic, events: sent, seconds, perSecond: Math.round(sent / seconds), seed: load.seed };
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : `${sent} events in ${seconds} s, seed ${load.seed}\n`);
  return 0;
}

function loadOf(config: Config, topic: string, options: Options): LoadOptions {
  const kinds: Readonly<Record<string, LoadKind>> = {
    [config.KAFKA_TOPIC]: "purchase",
    [config.LOYALTY_TOPIC]: "loyalty",
    [config.ORDERS_TOPIC]: "order",
    [SAGA_COMMANDS_TOPIC]: "saga-command",
  };
  const kind = kinds[topic];
  if (kind === undefined) throw new UsageError(`--topic takes ${Object.keys(kinds).join(", ")}`);
  const services = options.services.split(",").filter((service) => service !== "");
  if (kind === "order" && services.length === 0) throw new UsageError("--services names what is ordered: services that Saldo knows");
  const currency = options.currency ?? config.DEFAULT_CURRENCY;
  if (!isCurrency(currency)) throw new UsageError(`--currency ${currency} is not a known currency`);
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const seed = options.seed === undefined ? nowSeconds : wholeNumber("--seed", options.seed, { min: 0, max: 2_147_483_647 });
  const isMoment = seed >= EARLIEST_SECONDS && seed <= nowSeconds;
  return {
    kind,
    users: wholeNumber("--users", options.users, { min: 1, max: 10_000_000 }),
    seed,
    currency,
    services,
    // The date comes from the seed alone: it is content, and the same event with another date would be a conflict.
    occurredAt: isMoment ? new Date(seed * 1_000).toISOString() : "2026-01-01T00:00:00.000Z",
  };
}

function findBrokers(config: Config): string[] {
  const brokers =
    config.KAFKA_BROKERS === undefined
      ? [...(readRunning(resolve(config.DATA_DIR))?.kafkaBrokers ?? [])]
      : brokerList(config.KAFKA_BROKERS);
  if (brokers.length === 0) throw new CommandFailure("Kafka does not run here: `npm start` first, or set KAFKA_BROKERS");
  return brokers;
}
