import { createRequire } from "node:module";
import { MAX_MESSAGE_HEADERS } from "../../contract/topics.ts";

/** Stands among a message's header values for those that were not kept. */
export class LeftOutHeaders {
  readonly count: number;

  constructor(count: number) {
    this.count = count;
  }
}

interface Decoder {
  readVarInt(): number;
  readVarIntArray(read: (decoder: Decoder) => unknown): unknown[];
}

/**
 * Bounds the headers that the client hands on. It joins them in a time that grows with the square of their number: one
 * message of 10,000 headers would block the process for minutes, and at every delivery again. All are still read over,
 * so what stands after them is found. Safe to retry.
 */
export function boundHeaders(): void {
  const { prototype } = createRequire(import.meta.url)("kafkajs/src/protocol/decoder.js") as { prototype: Decoder };
  // Headers are the only such lists of the protocol.
  prototype.readVarIntArray = function readBounded(read) {
    const count = this.readVarInt();
    const kept: unknown[] = [];
    for (let place = 0; place < count; place += 1) {
      const entry = read(this);
      if (place < MAX_MESSAGE_HEADERS) kept.push(entry);
    }
    return count > MAX_MESSAGE_HEADERS
      ? [...kept, { key: "headers-left-out", value: new LeftOutHeaders(count - MAX_MESSAGE_HEADERS) }]
      : kept;
  };
}
