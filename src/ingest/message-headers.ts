import type { MessageHeaders } from "../adapters/kafka/kafka-message.ts";
import { traceIdOf } from "../contract/ids.ts";
import { MAX_MESSAGE_HEADERS } from "../contract/topics.ts";
import { looksLikeCardNumber } from "../domain/cards/card.ts";

/** How many characters of all headers together are kept, names included. */
const MAX_CHARACTERS = 16_384;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Headers as text that Postgres and JSON can hold. Bytes that are no text become `base64:…`; a name that repeats becomes
 * `name#2`; headers over the limits are left out and counted in `headers-left-out`, on top of the `alreadyLeftOut` ones.
 */
export function readableHeaders(headers: MessageHeaders, alreadyLeftOut = 0): Record<string, string> {
  const kept: Record<string, string> = {};
  let leftOut = alreadyLeftOut;
  let characters = 0;
  for (const [name, values] of Object.entries(headers)) {
    for (const [place, value] of listOf(values).entries()) {
      const label = place === 0 ? storable(name) : `${storable(name)}#${place + 1}`;
      const text = value === undefined ? "" : readable(value);
      characters += label.length + text.length;
      if (Object.keys(kept).length >= MAX_MESSAGE_HEADERS || characters > MAX_CHARACTERS) leftOut += 1;
      else kept[label] = text;
    }
  }
  return leftOut === 0 ? kept : { ...kept, "headers-left-out": String(leftOut) };
}

/** The text of a message's header, of several of one name the first; empty when the message has none. */
export function headerText(headers: MessageHeaders, name: string): string {
  const [value] = listOf(headers[name]);
  return value === undefined ? "" : readable(value);
}

/**
 * The correlation id in a message's headers, if it is valid: 1 to 128 visible ASCII characters without a card number. Else the trace id of its
 * `traceparent`, so that what Saldo sends because of the message belongs to the same trace.
 */
export function correlationIdOf(headers: MessageHeaders): string | undefined {
  const text = headerText(headers, "correlation-id");
  return /^[\x21-\x7e]{1,128}$/.test(text) && !looksLikeCardNumber(text) ? text : traceIdOf(headerText(headers, "traceparent"));
}

function listOf(values: MessageHeaders[string]): readonly (Buffer | string | undefined)[] {
  return typeof values === "string" || values === undefined || Buffer.isBuffer(values) ? [values] : values;
}

function readable(value: Buffer | string): string {
  if (typeof value === "string") return storable(value);
  try {
    const text = utf8.decode(value);
    if (!text.includes("\0")) return text;
  } catch {
    // The bytes are not UTF-8.
  }
  return `base64:${value.toString("base64")}`;
}

function storable(text: string): string {
  return text.replace(/\0|\p{Surrogate}/gu, "\u{FFFD}");
}
