import type { KafkaMessage } from "kafkajs";
import { LeftOutHeaders } from "./kafka-headers.ts";
import { sentAtMs } from "./sent-at.ts";

export type MessageHeaders = Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>>;

/** A message as it was fetched. The offset is decimal text; `timestampMs` is the broker's or the producer's, without a usable one that of the fetch. */
export interface FetchedMessage {
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
  /** How many headers the message has beyond those that are kept. */
  readonly headersLeftOut: number;
  readonly timestampMs: number;
}

const NO_HEADERS = { headers: {}, headersLeftOut: 0 } as const;

/** A message of the client's as Saldo's handlers take it. */
export function toFetchedMessage(
  message: Pick<KafkaMessage, "offset" | "key" | "value" | "timestamp"> & { readonly headers?: Readonly<Record<string, unknown>> },
): FetchedMessage {
  return {
    offset: message.offset,
    key: message.key,
    value: message.value,
    ...readHeaders(message.headers),
    timestampMs: sentAtMs(message.timestamp, Date.now()),
  };
}

// The client collects headers in a plain object, which has a value of its own under a name such as `constructor`: only bytes and text count.
function readHeaders(headers: Readonly<Record<string, unknown>> = {}): Pick<FetchedMessage, "headers" | "headersLeftOut"> {
  const entries = Object.entries(headers);
  if (entries.length === 0) return NO_HEADERS;
  let headersLeftOut = 0;
  const kept = entries.flatMap(([name, values]) => {
    const all: readonly unknown[] = Array.isArray(values) ? values : [values];
    for (const value of all) if (value instanceof LeftOutHeaders) headersLeftOut += value.count;
    const own = all.filter((value) => value === null || typeof value === "string" || Buffer.isBuffer(value));
    return own.length === 0 ? [] : [[name, own.map((value) => value ?? "")] as const];
  });
  return { headers: Object.fromEntries(kept), headersLeftOut };
}
