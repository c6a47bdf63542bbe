import { resolve } from "node:path";
import { z } from "zod";
import { brokerList, createKafka } from "../adapters/kafka/kafka.ts";
import { SILENT_LOG } from "../adapters/log.ts";
import { loadConfig, type Config } from "../config.ts";
import { kafkaSecurity } from "../config/server-variables.ts";
import type { TopicIncarnation } from "../contract/topic-incarnations.ts";
import { readRunning } from "../stack/running.ts";
import { ApiUnreachable, createApiClient, NotAuthenticated, readAnswer, UnexpectedAnswer, type ApiClient } from "./kit/api-client.ts";
import { findApiUrl } from "./kit/api-url.ts";
import { CommandFailure, runCommand, UsageError, wholeNumber } from "./kit/command.ts";
import { createTokenSource } from "./kit/operator-token.ts";

const USAGE = `npm run topics -- list|same|different [TOPIC] [options]

A topic that is deleted and made again, or that of another cluster, is another topic: its partitions and offsets are other places.
Lists the topics that stood under each name, and says of one, before its first message is taken, whether it is a copy.

  list                                           list them: name, number, ids, and when each was first read
  same TOPIC --as N --brokers LIST --reason W    the TOPIC on these brokers holds the messages of number N of its name at the same
                                                 partitions and offsets: none of them is booked again
  different TOPIC --brokers LIST --reason W      it holds others, which is also what it is taken for when nobody says anything

  --brokers LIST  host:port,host:port of the cluster that has the topic (default: KAFKA_BROKERS)
  --as N          the number, as list shows it
  --reason WORDS  why; recorded for ever
  --json          print what the API answered
  --api URL       the API's address (default: the system that runs from DATA_DIR, else HTTP_PORT)
  --help          print this
`;

const MAX_NUMBER = 1_000_000;
const PATH = "/api/v1/topics";

const known = z.object({
  topic: z.string(),
  clusterId: z.string(),
  topicId: z.string(),
  number: z.number(),
  calledInPlaces: z.string(),
  firstReadAt: z.string().optional(),
});
const listed = z.object({ topics: z.array(known) });
const declared = z.object({ topic: z.string(), number: z.number(), calledInPlaces: z.string() });

process.exitCode = await runCommand({
  name: "topics",
  usage: USAGE,
  maxPositionals: 2,
  options: {
    brokers: { type: "string" },
    as: { type: "string" },
    reason: { type: "string" },
    json: { type: "boolean", default: false },
    api: { type: "string" },
  },
  expected: [ApiUnreachable, NotAuthenticated, UnexpectedAnswer],
  run: async ({ values, positionals: [command, topic] }) => {
    const config = loadConfig();
    const baseUrl = findApiUrl(config, values.api);
    if (!URL.canParse(baseUrl)) throw new UsageError("--api takes an address such as http://127.0.0.1:8080");
    const api = createApiClient({ baseUrl, token: createTokenSource(config, { baseUrl, subject: "topics", roles: ["admin"] }) });
    const text =
      command === "list" && topic === undefined ? await list(api, values.json) : await declare(api, config, command, topic, values);
    process.stdout.write(`${text}\n`);
    return 0;
  },
});

async function list(api: ApiClient, json: boolean): Promise<string> {
  const answer = readAnswer(await api.get(PATH), [200], listed);
  if (json) return JSON.stringify(answer);
  if (answer.topics.length === 0) return "No topic was read yet.";
  return answer.topics
    .map(
      ({ topic, number, clusterId, topicId, calledInPlaces, firstReadAt }) =>
        `${topic}  ${number}  ${calledInPlaces}  cluster ${clusterId}  id ${topicId}  ${firstReadAt === undefined ? "not read yet" : `read from ${firstReadAt}`}`,
    )
    .join("\n");
}

interface Values {
  readonly brokers?: string | undefined;
  readonly as?: string | undefined;
  readonly reason?: string | undefined;
  readonly json: boolean;
}

async function declare(
  api: ApiClient,
  config: Config,
  command: string | undefined,
  topic: string | undefined,
  values: Values,
): Promise<string> {
  if ((command !== "same" && command !== "different") || topic === undefined)
    throw new UsageError("say list, same TOPIC --as N or different TOPIC");
  const { reason } = values;
  if (reason === undefined) throw new UsageError("--reason says why");
  if ((command === "same") !== (values.as !== undefined)) throw new UsageError("--as belongs to same: it says the number of which topic");
  const sameAs = values.as === undefined ? {} : { sameAs: wholeNumber("--as", values.as, { min: 1, max: MAX_NUMBER }) };
  const { clusterId, topicId } = await askBrokers(config, findBrokers(config, values.brokers), topic);
  const answer = readAnswer(
    await api.post(`${PATH}/${encodeURIComponent(topic)}/incarnations`, { clusterId, topicId, ...sameAs, reason }),
    [201],
    declared,
  );
  if (values.json) return JSON.stringify(answer);
  return `${topic} with the id ${topicId} of the cluster ${clusterId} is number ${answer.number}: its places are those of ${answer.calledInPlaces}.`;
}

function findBrokers(config: Config, given: string | undefined): string[] {
  const text = given ?? config.KAFKA_BROKERS;
  const brokers = text === undefined ? [...(readRunning(resolve(config.DATA_DIR))?.kafkaBrokers ?? [])] : brokerList(text);
  if (brokers.length === 0) throw new UsageError("--brokers says which cluster has the topic, as host:port");
  return brokers;
}

async function askBrokers(config: Config, brokers: readonly string[], topic: string): Promise<TopicIncarnation> {
  const kafka = createKafka({ brokers, security: kafkaSecurity(config), clientId: "saldo-topics", logger: SILENT_LOG });
  try {
    const found = await kafka.topicIncarnation(topic).catch(() => {
      throw new CommandFailure(`${brokers.join(",")} does not answer`);
    });
    if (found === undefined) throw new CommandFailure(`there is no topic ${topic} on ${brokers.join(",")}`);
    return found;
  } finally {
    await kafka.close();
  }
}
