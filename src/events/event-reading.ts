import { z } from "zod";
import { codeOf, messageOf } from "../base/errors.ts";
import { parseAmount } from "../base/money.ts";
import { exactWholeNumber, isRawNumber, parseJsonKeepingNumbers } from "../base/raw-json.ts";
import { CLOCK_SKEW_MS, EARLIEST_MS } from "../contract/moments.ts";

/** Larger than any event should be, small enough that reading it costs nothing. */
const MAX_EVENT_BYTES = 65_536;
const LATEST_MS = Date.UTC(2100, 0, 1);

/** Codes of the catalogue with which an event is refused. */
export type EventRefusal = "MALFORMED_JSON" | "INVALID_EVENT" | "INVALID_AMOUNT" | "INVALID_CURRENCY" | "PAYLOAD_TOO_LARGE";

export interface Refused {
  readonly ok: false;
  readonly code: EventRefusal;
  readonly reason: string;
  /** The event's own id, when it could be read. */
  readonly eventId?: string;
}

/** A valid event, or why it is none. The reason holds no part of the content. */
export type EventReading<Event> = { readonly ok: true; readonly event: Event } | Refused;

/** What makes bytes an event of one kind. */
export interface EventShape<Schema extends z.ZodObject, Event> {
  readonly schema: Schema;
  /** The field that is the event's own id. */
  readonly idField: string;
  /** Makes the event of the fields and says what a schema cannot. `timestampMs` is the message's, -1 when it has none. */
  readonly toEvent: (fields: z.output<Schema>, timestampMs: number) => Event | Refused;
}

/**
 * Reads a message's bytes as an event. Never throws on content. The same bytes with the same time stamp always give the
 * same answer, so that a redelivery cannot turn a refused event into a valid one: "in the future" is judged by
 * `timestampMs` of the message (-1 when it has none) and not by the clock.
 */
export function readEvent<Schema extends z.ZodObject, Event extends object>(
  shape: EventShape<Schema, Event>,
  value: Uint8Array | null,
  timestampMs: number,
): EventReading<Event> {
  if (value === null || value.length === 0) return refuse("INVALID_EVENT", "the message has no value");
  if (value.length > MAX_EVENT_BYTES) return refuse("PAYLOAD_TOO_LARGE", `the event has more than ${MAX_EVENT_BYTES} bytes`);
  const text = decodeUtf8(value);
  if (text === undefined) return refuse("MALFORMED_JSON", "the value is not UTF-8");
  const reading = readFields(text);
  if ("reason" in reading) return reading;
  const { fields } = reading;

  const parsed = shape.schema.safeParse(fields);
  if (!parsed.success)
    return { ...refuse(codeOfIssues(parsed.error.issues), wordsOfIssues(parsed.error.issues)), ...ownIdOf(shape, fields) };
  const event = shape.toEvent(parsed.data, timestampMs);
  return isRefused(event) ? { ...event, ...ownIdOf(shape, fields) } : { ok: true, event };
}

// An event that is refused for another field keeps its id.
function ownIdOf<Schema extends z.ZodObject, Event>({ schema, idField }: EventShape<Schema, Event>, fields: Record<string, unknown>) {
  const fieldSchemas: Readonly<Record<string, z.ZodType | undefined>> = schema.shape;
  const eventId = fieldSchemas[idField]?.safeParse(fields[idField]).data;
  return typeof eventId === "string" ? { eventId } : {};
}

/** A refusal in words. */
export function refuse(code: EventRefusal, reason: string): Refused {
  return { ok: false, code, reason };
}

export function isRefused(value: object): value is Refused {
  return "ok" in value && value.ok === false;
}

/** An amount in minor units of its currency, or why it is none. */
export function readEventAmount(amount: string | number, currency: string, field = "amount"): bigint | Refused {
  try {
    return parseAmount(String(amount), currency);
  } catch (error) {
    return refuse("INVALID_AMOUNT", `${field}: ${messageOf(error)}`);
  }
}

/** A moment, in milliseconds, as ISO 8601 in UTC; refused when it lies before 1990 or a day after the message was sent. */
export function readMoment(moment: number, timestampMs: number, field: string): string | Refused {
  const latestMs = timestampMs >= EARLIEST_MS ? Math.min(LATEST_MS, timestampMs + CLOCK_SKEW_MS) : LATEST_MS;
  if (!(moment >= EARLIEST_MS && moment <= latestMs))
    return refuse("INVALID_EVENT", `${field}: lies before 1990 or after the message was sent`);
  return new Date(moment).toISOString();
}

/** The JSON Schema (2020-12) of an event as producers must write it. */
export function eventJsonSchema(schema: z.ZodObject, name: string, title: string): Record<string, unknown> {
  return { ...z.toJSONSchema(schema, { io: "input" }), $id: `https://saldo.invalid/events/${name}.json`, title };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(value: Uint8Array): string | undefined {
  try {
    return utf8.decode(value);
  } catch {
    return undefined;
  }
}

function readFields(text: string): { readonly fields: Record<string, unknown> } | Refused {
  let json: unknown;
  try {
    json = parseJsonKeepingNumbers(text);
  } catch (error) {
    return refuse(codeOf(error) === "MALFORMED_JSON" ? "MALFORMED_JSON" : "INVALID_EVENT", messageOf(error));
  }
  if (typeof json !== "object" || json === null || Array.isArray(json) || isRawNumber(json))
    return refuse("INVALID_EVENT", "the value is not a JSON object");
  return { fields: plainFields(json) };
}

/**
 * A number keeps its digits where it is money. Elsewhere it is the whole number that its digits say, or NaN, which no schema takes: a float would
 * make the neighbour's id of 9007199254740990.9. The fields were read for this call alone and are changed in place: most hold text.
 */
function plainFields(json: object): Record<string, unknown> {
  const fields = json as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (typeof value === "object" && value !== null) fields[name] = plain(value, name);
  }
  return fields;
}

function plain(value: unknown, name: string): unknown {
  if (isRawNumber(value)) return name === "amount" ? value.raw : (exactWholeNumber(value.raw) ?? Number.NaN);
  if (Array.isArray(value)) return value.map((one) => plain(one, ""));
  return typeof value === "object" && value !== null ? plainFields(value) : value;
}

type Issue = z.core.$ZodIssue;

function codeOfIssues(issues: readonly Issue[]): EventRefusal {
  const fields = new Set(issues.map((issue) => issue.path.at(-1)));
  if (fields.size === 1 && fields.has("currency")) return "INVALID_CURRENCY";
  return fields.size === 1 && fields.has("amount") ? "INVALID_AMOUNT" : "INVALID_EVENT";
}

function wordsOfUnion({ path }: Issue): string {
  switch (path.at(-1)) {
    case "amount":
      return "must be decimal text or a number";
    case "schema_version":
      return "must be 1";
    case undefined:
    default:
      return "is no id: of the wrong type or length, with characters an id cannot have, or a number that is not whole digits up to 2^53 - 1";
  }
}

// Every failed field is named (S0-05). The schema's words tell types and limits, never the value that was given.
function wordsOfIssues(issues: readonly Issue[]): string {
  return issues
    .map((issue) => `${issue.path.join(".")}: ${issue.code === "invalid_union" ? wordsOfUnion(issue) : issue.message}`)
    .join("; ")
    .slice(0, 500);
}
