import { readFile } from "node:fs/promises";
import { z } from "zod";
import { loadConfig } from "../config.ts";
import { ApiUnreachable, createApiClient, NotAuthenticated, readAnswer, UnexpectedAnswer, type ApiClient } from "./kit/api-client.ts";
import { findApiUrl } from "./kit/api-url.ts";
import { runCommand, UsageError, wholeNumber } from "./kit/command.ts";
import { createTokenSource } from "./kit/operator-token.ts";
import { printable, printableLines } from "./kit/printable.ts";

const USAGE = `npm run dlq -- list|show|redrive [ID] [options]

Dead letters are messages that could not be taken. Lists them, shows one, or sends one or many again, under their first identity.

  list                        list dead letters, the newest first
  show ID                     show one with its content; what looks like a card number is masked
  redrive ID --reason WORDS   send one again, byte for byte, or corrected by --body
  redrive --reason WORDS      send again the oldest ones that match and were never sent again

  --topic NAME   only dead letters of this topic
  --code CODE    only dead letters with this code, such as INVALID_EVENT
  --from TIME    only dead letters recorded at this moment or later, such as 2026-11-21T10:00:00Z
  --to TIME      only dead letters recorded before this moment
  --redriven yes|no   list: only dead letters that were sent again, or never were
  --limit N      how many at most (list: 50, up to 100; redrive: 100, up to 1000)
  --body FILE    redrive ID: the corrected value, byte for byte; - reads standard input
  --reason WORDS why; recorded for ever
  --json         print what the API answered
  --api URL      the API's address (default: the system that runs from DATA_DIR, else HTTP_PORT)
  --help         print this
`;

const MAX_LISTED = 100;
const MAX_REDRIVEN = 1_000;
const PATH = "/api/v1/dead-letters";

const summary = z.object({
  deadLetterId: z.string(),
  topic: z.string(),
  partition: z.number(),
  offset: z.string(),
  code: z.string(),
  reason: z.string(),
  attempts: z.number(),
  recordedAt: z.string(),
  status: z.string(),
});
const bytes = z.object({ encoding: z.string(), text: z.string(), truncated: z.boolean(), masked: z.boolean() });
const letter = summary.extend({
  identity: z.string(),
  key: bytes.optional(),
  value: bytes.optional(),
  headers: z.record(z.string(), z.string()),
  redrivenAt: z.string().optional(),
  redrivenBy: z.string().optional(),
  outcome: z.object({ outcome: z.string(), operationId: z.string().optional(), workflowId: z.string().optional() }).optional(),
});
const listed = z.object({ deadLetters: z.array(summary), nextCursor: z.string().optional() });
const redriven = z.object({ count: z.number(), deadLetterIds: z.array(z.string()) });

interface Values {
  readonly topic?: string | undefined;
  readonly code?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly redriven?: string | undefined;
  readonly limit?: string | undefined;
  readonly body?: string | undefined;
  readonly reason?: string | undefined;
  readonly json: boolean;
}

process.exitCode = await runCommand({
  name: "dlq",
  usage: USAGE,
  maxPositionals: 2,
  options: {
    topic: { type: "string" },
    code: { type: "string" },
    from: { type: "string" },
    to: { type: "string" },
    redriven: { type: "string" },
    limit: { type: "string" },
    body: { type: "string" },
    reason: { type: "string" },
    json: { type: "boolean", default: false },
    api: { type: "string" },
  },
  expected: [ApiUnreachable, NotAuthenticated, UnexpectedAnswer],
  run: async ({ values, positionals: [command, id] }) => {
    const config = loadConfig();
    const baseUrl = findApiUrl(config, values.api);
    if (!URL.canParse(baseUrl)) throw new UsageError("--api takes an address such as http://127.0.0.1:8080");
    const api = createApiClient({ baseUrl, token: createTokenSource(config, { baseUrl, subject: "dlq", roles: ["admin"] }) });
    const text = await act(api, command, id, values);
    process.stdout.write(`${printableLines(text)}\n`);
    return 0;
  },
});

async function act(api: ApiClient, command: string | undefined, id: string | undefined, values: Values): Promise<string> {
  if (command === "list" && id === undefined) return await list(api, values);
  if (command === "show" && id !== undefined) return await show(api, id, values);
  if (command === "redrive") return await redrive(api, id, values);
  throw new UsageError("say list, show ID or redrive [ID]");
}

async function list(api: ApiClient, values: Values): Promise<string> {
  const { redriven: wanted } = values;
  if (wanted !== undefined && wanted !== "yes" && wanted !== "no") throw new UsageError("--redriven takes yes or no");
  const query = new URLSearchParams(filterOf(values));
  if (wanted !== undefined) query.set("redriven", String(wanted === "yes"));
  if (values.limit !== undefined) query.set("limit", String(wholeNumber("--limit", values.limit, { min: 1, max: MAX_LISTED })));
  const page = readAnswer(await api.get(`${PATH}?${query.toString()}`), [200], listed);
  if (values.json) return JSON.stringify(page);
  const lines = page.deadLetters.map(
    ({ deadLetterId, recordedAt, topic, partition, offset, code, status, reason }) =>
      `${deadLetterId.padStart(8)}  ${recordedAt}  ${topic}/${partition}/${offset}  ${code}  ${status}\n          ${printable(reason)}`,
  );
  if (lines.length === 0) return "No dead letter matches.";
  return [...lines, ...(page.nextCursor === undefined ? [] : ["There are more: narrow them by --topic, --code, --from, --to."])].join("\n");
}

async function show(api: ApiClient, id: string, values: Values): Promise<string> {
  const one = readAnswer(await api.get(`${PATH}/${encodeURIComponent(id)}`), [200], letter);
  if (values.json) return JSON.stringify(one);
  const { outcome, value, key } = one;
  const shown = (part: z.infer<typeof bytes> | undefined) =>
    part === undefined
      ? "(none)"
      : `${part.encoding === "base64" ? "base64: " : ""}${part.text}${part.truncated ? " …" : ""}${part.masked ? "   (masked: the original has a card number here)" : ""}`;
  return [
    `${one.topic}/${one.partition}/${one.offset}  ${one.code}: ${printable(one.reason)}`,
    `identity  ${printable(one.identity)}`,
    `recorded  ${one.recordedAt}, ${one.attempts} ${one.attempts === 1 ? "attempt" : "attempts"}, ${one.status}`,
    ...(one.redrivenAt === undefined ? [] : [`redriven  ${one.redrivenAt} by ${one.redrivenBy ?? "?"}`]),
    ...(outcome === undefined ? [] : [`became    ${outcome.outcome} ${outcome.operationId ?? outcome.workflowId ?? ""}`.trimEnd()]),
    `key       ${printable(shown(key))}`,
    ...Object.entries(one.headers).map(([name, text]) => `header    ${printable(name)}: ${printable(text)}`),
    shown(value),
  ].join("\n");
}

async function redrive(api: ApiClient, id: string | undefined, values: Values): Promise<string> {
  const { reason } = values;
  if (reason === undefined) throw new UsageError("--reason says why");
  if (id !== undefined && [values.topic, values.code, values.from, values.to, values.limit].some((filter) => filter !== undefined))
    throw new UsageError("one dead letter is named by its id alone, without --topic, --code, --from, --to and --limit");
  if (id === undefined && values.body !== undefined) throw new UsageError("--body corrects one dead letter: name it");
  const body = values.body === undefined ? {} : { body: await readBody(values.body) };
  const limit = values.limit === undefined ? {} : { limit: wholeNumber("--limit", values.limit, { min: 1, max: MAX_REDRIVEN }) };
  const answer =
    id === undefined
      ? await api.post(`${PATH}/redrive`, { filter: filterOf(values), reason, ...limit })
      : await api.post(`${PATH}/${encodeURIComponent(id)}/redrive`, { reason, ...body });
  const done = readAnswer(answer, [202], redriven);
  if (values.json) return JSON.stringify(done);
  return done.count === 0 ? "No dead letter matches." : `${done.count} on the way again: ${done.deadLetterIds.join(", ")}`;
}

function filterOf({ topic, code, from, to }: Values): Record<string, string> {
  return Object.fromEntries(
    Object.entries({ topic, code, from, to }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

async function readBody(file: string): Promise<string> {
  if (file !== "-") return await readFile(file, "utf8");
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks).toString("utf8");
}
