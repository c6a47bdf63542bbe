import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PROJECT_DIR } from "../src/cli/start/role-entries.ts";

/** The sources that run, without tests, by their path. */
const sources = ["src", "workers", "activities"].flatMap((folder) =>
  readdirSync(join(PROJECT_DIR, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => [`${folder}/${name}`, readFileSync(join(PROJECT_DIR, folder, name), "utf8")] as const),
);

/** What opens a connection, and by what it must be told how the server is spoken to. A client that forgot would go over an open line. */
const RULES = [
  { opens: /\bpostgres\((?:url|target|options)/, by: "driverTarget(" },
  { opens: /\bnew Redis\(/, by: "redisTarget(" },
  { opens: /\bnew KafkaClient\(|\bnew Kafka\(/, by: "kafkaConnection(" },
  { opens: /\bConnection\.(?:connect|lazy)\(/, by: "temporalTarget(" },
];

test.each(RULES)("whatever opens a connection ($opens) is told of TLS and logins by $by", ({ opens, by }) => {
  const opening = sources.filter(([, text]) => opens.test(text));
  expect(opening.length).toBeGreaterThan(0);
  for (const [path, text] of opening) expect(text, path).toContain(by);
});

test("every role and command that speaks to Kafka says how", () => {
  const calls = sources
    .filter(([path]) => path.startsWith("workers/") || path.startsWith("src/cli/"))
    .flatMap(([path, text]) => [...text.matchAll(CALLS_OF_KAFKA)].map(([call]) => [path, call] as const));
  expect(calls.length).toBeGreaterThan(6);
  for (const [path, call] of calls) expect(call, path).toMatch(/kafkaSecurity\(config\)|\.\.\.servers/);
});

/** Not the step of a start that has it inside, and not its type. */
const CALLS_OF_KAFKA = /(?<!steps\.)\b(?:createKafka|ensureTopics|dumpKafka)\((?!brokers: readonly)[^;]*/g;
