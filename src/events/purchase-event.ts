import { z } from "zod";
import { idProblem, MAX_ID_LENGTH } from "../contract/id-rule.ts";
import { codeOf, messageOf } from "../errors.ts";
import { isCurrency, parseAmount } from "../money.ts";
import { isRawNumber, parseJsonKeepingNumbers } from "../raw-json.ts";

const MAX_EVENT_ID_LENGTH = 200;
/** Larger than any event should be, small enough that reading it costs nothing. */
const MAX_EVENT_BYTES = 65_536;
/** Before this nothing can have been bought here: a date of 1970 is a clock that was never set. */
const EARLIEST_MS = Date.UTC(1990, 0, 1);
const LATEST_MS = Date.UTC(2100, 0, 1);
const CLOCK_SKEW_MS = 24 * 3_600_000;

// Postgres text cannot hold NUL, and a lone surrogate would be stored as another character.
const storable = (text: string) => !text.includes("\0") && !/\p{Surrogate}/u.test(text);
const storableText = (maxLength: number) => z.string().min(1).max(maxLength).refine(storable, "must be well-formed text without NUL");
// The lengths stand in the schema for producers; `idProblem` judges, which counts a character beyond U+FFFF once, as they do.
const idText = (maxLength: number) =>
  z
    .string()
    .superRefine((text, context) => {
      const problem = storable(text) ? idProblem(text, maxLength) : "must be well-formed text";
      if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
    })
    .meta({ minLength: 1, maxLength });
const identifier = (maxLength: number) => z.union([idText(maxLength), z.int().nonnegative()]).transform(String);
const optional = <Schema extends z.ZodType>(schema: Schema) => schema.nullish().transform((value) => value ?? undefined);

const WALLET = "wallet";
// Taken as a method of its own, `Wallet` would be revenue without a debit.
const meansWallet = (text: string) =>
  text
    .normalize("NFKC")
    .replace(/[\s\p{Cc}\p{Cf}]/gu, "")
    .toLowerCase() === WALLET;

/** A purchase as it stands on the topic (S3-13). Fields that are not named here are tolerated and never copied. */
export const purchaseEventSchema = z
  .object({
    user_id: identifier(MAX_ID_LENGTH).describe("Opaque id of the user; a whole number is taken as its digits."),
    username: optional(z.string()).describe("Not kept."),
    amount: z
      .union([z.string(), z.number()])
      .describe("Decimal text such as 100.50; a JSON number is read as it is written. No more decimals than the currency has."),
    currency: z.string().refine(isCurrency, "is not a known currency").describe("ISO 4217 code, or PTS for loyalty points."),
    payment_method: storableText(MAX_ID_LENGTH)
      .refine((text) => text === WALLET || !meansWallet(text), "must be written wallet when the wallet is meant")
      .describe("`wallet`, exactly so, debits the user's balance; any other method was settled elsewhere."),
    transaction_date: z.iso.datetime({ offset: true }).describe("RFC 3339, with an offset or Z."),
    event_id: optional(identifier(MAX_EVENT_ID_LENGTH)).describe("Without it the event is identified by topic, partition and offset."),
    service_id: optional(identifier(MAX_ID_LENGTH)).describe("Without it the revenue stands under `unassigned`."),
    order_id: optional(identifier(MAX_ID_LENGTH)),
    schema_version: optional(z.union([z.literal(1), z.literal("1")])).describe("This is version 1."),
  })
  .describe("A purchase that happened elsewhere.");

/** A valid purchase. `occurredAt` is ISO 8601 in UTC. */
export interface PurchaseEvent {
  readonly userId: string;
  readonly amountMinor: bigint;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly occurredAt: string;
  readonly eventId?: string;
  readonly serviceId?: string;
  readonly orderId?: string;
}

/** Codes of the catalogue with which an event is refused. */
export type EventRefusal = "MALFORMED_JSON" | "INVALID_EVENT" | "INVALID_AMOUNT" | "INVALID_CURRENCY" | "PAYLOAD_TOO_LARGE";

/** A valid purchase, or why it is none. The reason holds no part of the content; the event's own id is told when it could be read. */
export type PurchaseReading =
  | { readonly ok: true; readonly event: PurchaseEvent }
  | { readonly ok: false; readonly code: EventRefusal; readonly reason: string; readonly eventId?: string };

/**
 * Reads a message's bytes as a purchase. Never throws on content. The same bytes with the same time stamp always give the
 * same answer, so that a redelivery cannot turn a refused event into a valid one: "in the future" is judged by
 * `timestampMs` of the message (-1 when it has none) and not by the clock.
 */
export function readPurchaseEvent(value: Uint8Array | null, timestampMs: number): PurchaseReading {
  if (value === null || value.length === 0) return refuse("INVALID_EVENT", "the message has no value");
  if (value.length > MAX_EVENT_BYTES) return refuse("PAYLOAD_TOO_LARGE", `the event has more than ${MAX_EVENT_BYTES} bytes`);
  const text = decodeUtf8(value);
  if (text === undefined) return refuse("MALFORMED_JSON", "the value is not UTF-8");
  const reading = readFields(text);
  if ("reason" in reading) return refuse(reading.code, reading.reason);
  const { fields } = reading;

  const eventId = purchaseEventSchema.shape.event_id.safeParse(fields["event_id"]).data;
  const identified = eventId === undefined ? {} : { eventId };
  const parsed = purchaseEventSchema.safeParse(fields);
  if (!parsed.success) return { ...refuse(codeOfIssues(parsed.error.issues), wordsOfIssues(parsed.error.issues)), ...identified };
  const { user_id, currency, payment_method, transaction_date, service_id, order_id } = parsed.data;

  const amountMinor = readAmount(String(parsed.data.amount), currency);
  if (typeof amountMinor !== "bigint") return { ...refuse("INVALID_AMOUNT", `amount: ${amountMinor.reason}`), ...identified };

  const occurredAtMs = Date.parse(transaction_date);
  const latestMs = timestampMs >= EARLIEST_MS ? Math.min(LATEST_MS, timestampMs + CLOCK_SKEW_MS) : LATEST_MS;
  if (!(occurredAtMs >= EARLIEST_MS && occurredAtMs <= latestMs))
    return { ...refuse("INVALID_EVENT", "transaction_date: lies before 1990 or after the message was sent"), ...identified };

  return {
    ok: true,
    event: {
      userId: user_id,
      amountMinor,
      currency,
      paymentMethod: payment_method,
      occurredAt: new Date(occurredAtMs).toISOString(),
      ...identified,
      ...(service_id === undefined ? {} : { serviceId: service_id }),
      ...(order_id === undefined ? {} : { orderId: order_id }),
    },
  };
}

/** The JSON Schema (2020-12) of a purchase as producers must write it. */
export function purchaseEventJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(purchaseEventSchema, { io: "input" }), $id: "https://saldo.invalid/events/purchase.json", title: "Purchase" };
}

function refuse(code: EventRefusal, reason: string): Extract<PurchaseReading, { ok: false }> {
  return { ok: false, code, reason };
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(value: Uint8Array): string | undefined {
  try {
    return utf8.decode(value);
  } catch {
    return undefined;
  }
}

type Fields = { readonly fields: Record<string, unknown> } | { readonly code: EventRefusal; readonly reason: string };

/** The object's own fields. A number stays as it is written where it is money, and becomes a JavaScript number elsewhere. */
function readFields(text: string): Fields {
  let json: unknown;
  try {
    json = parseJsonKeepingNumbers(text);
  } catch (error) {
    return { code: codeOf(error) === "MALFORMED_JSON" ? "MALFORMED_JSON" : "INVALID_EVENT", reason: messageOf(error) };
  }
  if (typeof json !== "object" || json === null || Array.isArray(json) || isRawNumber(json))
    return { code: "INVALID_EVENT", reason: "the value is not a JSON object" };
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(json)) {
    fields[name] = isRawNumber(value) ? (name === "amount" ? value.raw : Number(value.raw)) : value;
  }
  return { fields };
}

function readAmount(text: string, currency: string): bigint | { readonly reason: string } {
  try {
    return parseAmount(text, currency);
  } catch (error) {
    return { reason: messageOf(error) };
  }
}

type Issue = z.core.$ZodIssue;

function codeOfIssues(issues: readonly Issue[]): EventRefusal {
  const fields = new Set(issues.map((issue) => issue.path[0]));
  if (fields.size === 1 && fields.has("currency")) return "INVALID_CURRENCY";
  return fields.size === 1 && fields.has("amount") ? "INVALID_AMOUNT" : "INVALID_EVENT";
}

// Every failed field is named (S0-05). The schema's words tell types and limits, never the value that was given.
function wordsOfIssues(issues: readonly Issue[]): string {
  return issues
    .map(
      (issue) =>
        `${issue.path.join(".")}: ${issue.code === "invalid_union" ? "is no id: of the wrong type or length, or with characters an id cannot have" : issue.message}`,
    )
    .join("; ")
    .slice(0, 500);
}
