import type { Payload, PayloadCodec } from "@temporalio/common";
import { isEncrypted } from "./payload-codec.ts";

/**
 * A copy of what Temporal's service answered, such as an event of a history, in which every encrypted payload is decrypted.
 * Throws: PAYLOAD_UNREADABLE for one that the codec cannot read; Error when there is one and no codec.
 */
export async function decodeInside(codec: PayloadCodec | undefined, content: unknown): Promise<unknown> {
  if (typeof content !== "object" || content === null || content instanceof Uint8Array) return content;
  if (Array.isArray(content)) return await Promise.all(content.map((one) => decodeInside(codec, one)));
  if (isPayload(content) && isEncrypted(content)) {
    if (codec === undefined)
      throw new Error("payloads are encrypted, and TEMPORAL_PAYLOAD_KEYS or TEMPORAL_PAYLOAD_KEYS_FILE is not given");
    return (await codec.decode([content]))[0];
  }
  const entries = Object.entries(content).map(async ([name, value]) => [name, await decodeInside(codec, value)] as const);
  return Object.fromEntries(await Promise.all(entries));
}

function isPayload(content: object): content is Payload {
  const metadata: unknown = "metadata" in content ? content.metadata : undefined;
  return typeof metadata === "object" && metadata !== null && "encoding" in metadata && metadata.encoding instanceof Uint8Array;
}
