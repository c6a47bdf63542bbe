import type { OutgoingMessage } from "../adapters/kafka/kafka.ts";
import { causesOf } from "../base/errors.ts";

/** The most bytes of one send. All its messages may go to one partition, as one record batch, and the broker takes 1 MiB of it. */
const MAX_SEND_BYTES = 800_000;
const MESSAGE_OVERHEAD_BYTES = 64;

/** Cuts messages, in their order, into slices that are each sent at once. A message above the limit is a slice of its own. */
export function* slicesOf<Item extends { readonly message: OutgoingMessage }>(items: readonly Item[]): Generator<readonly Item[]> {
  let slice: Item[] = [];
  let bytes = 0;
  for (const item of items) {
    const size = sizeOf(item.message);
    if (slice.length > 0 && bytes + size > MAX_SEND_BYTES) {
      yield slice;
      slice = [];
      bytes = 0;
    }
    slice.push(item);
    bytes += size;
  }
  if (slice.length > 0) yield slice;
}

/** True when the broker refused a send because of its size. The Kafka client puts the broker's error code into `type`. */
export function isTooLarge(error: unknown): boolean {
  for (const cause of causesOf(error))
    if ("type" in cause && (cause.type === "MESSAGE_TOO_LARGE" || cause.type === "RECORD_LIST_TOO_LARGE")) return true;
  return false;
}

function sizeOf({ key, value, headers = {} }: OutgoingMessage): number {
  let bytes = MESSAGE_OVERHEAD_BYTES + Buffer.byteLength(key ?? "") + Buffer.byteLength(value ?? "");
  for (const [name, text] of Object.entries(headers)) bytes += Buffer.byteLength(name) + Buffer.byteLength(text);
  return bytes;
}
