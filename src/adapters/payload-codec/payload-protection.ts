import { readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { DataConverter, PayloadCodec } from "@temporalio/common";
import { messageOf } from "../../base/errors.ts";
import { readPayloadKeys, type PayloadKey } from "../../base/payload-keys.ts";
import type { Config } from "../../config.ts";
import { createPayloadCodec } from "./payload-codec.ts";

const FAILURE_CONVERTER_PATH = fileURLToPath(new URL("./failure-converter.cjs", import.meta.url));

export type PayloadSettings = Pick<Config, "TEMPORAL_PAYLOAD_ENCRYPTION" | "TEMPORAL_PAYLOAD_KEYS" | "TEMPORAL_PAYLOAD_KEYS_FILE">;

/** How everything that speaks with Temporal reads and writes payloads. */
export interface PayloadProtection {
  /** For each client and worker. */
  readonly dataConverter: DataConverter;
  /** Whether payloads and failures are encrypted when they are written. */
  readonly encrypts: boolean;
}

/** The keys cannot be used as they are; the message says why and repeats none. */
export class PayloadKeysError extends Error {
  override readonly name = "PayloadKeysError";
}

/**
 * Opens the keys of the configuration; undefined when there are none, and Temporal then keeps everything in the open.
 * Throws: PayloadKeysError for a file that is not there, that everybody may read, or that holds something else.
 */
export function openPayloadProtection(config: PayloadSettings): PayloadProtection | undefined {
  const keys = openPayloadKeys(config);
  if (keys.length === 0) return undefined;
  const encrypts = config.TEMPORAL_PAYLOAD_ENCRYPTION !== "off";
  const codec = createPayloadCodec({ keys, encrypts, acceptsPlain: config.TEMPORAL_PAYLOAD_ENCRYPTION !== "required" });
  // A failure has its message and its stack in the open unless its converter moves them into a payload.
  return { dataConverter: { payloadCodecs: [codec], ...(encrypts ? { failureConverterPath: FAILURE_CONVERTER_PATH } : {}) }, encrypts };
}

/**
 * A codec for what shows payloads to a person or searches them: it reads encrypted ones and those in the open, whatever the configuration
 * says of the latter. Undefined without keys. Throws: PayloadKeysError.
 */
export function openReadingCodec(config: PayloadSettings): PayloadCodec | undefined {
  const keys = openPayloadKeys(config);
  return keys.length === 0 ? undefined : createPayloadCodec({ keys, encrypts: true, acceptsPlain: true });
}

/**
 * Whether what Temporal keeps is encrypted and with which keys, by name, in one line for a person. A key's name is no secret.
 * Throws: PayloadKeysError.
 */
export function payloadsInWords(config: PayloadSettings): string {
  const [first, ...others] = openPayloadKeys(config).map(({ id }) => id);
  if (first === undefined) return "off: Temporal keeps them in the open";
  const read = others.length === 0 ? "" : `, also read with ${others.join(", ")}`;
  if (config.TEMPORAL_PAYLOAD_ENCRYPTION === "off") return `off: written in the open; read with the key ${first}${read}`;
  const plain = config.TEMPORAL_PAYLOAD_ENCRYPTION === "required" ? "refused" : "read";
  return `${config.TEMPORAL_PAYLOAD_ENCRYPTION}: written with the key ${first}${read}; what is in the open is ${plain}`;
}

function openPayloadKeys(config: PayloadSettings): readonly PayloadKey[] {
  const { TEMPORAL_PAYLOAD_KEYS: text, TEMPORAL_PAYLOAD_KEYS_FILE: file } = config;
  if (text !== undefined) return readPayloadKeys(text);
  if (file === undefined) return [];
  try {
    if ((statSync(file).mode & 0o004) !== 0) throw new Error("every user of this machine may read it; chmod 400 would change that");
    return readPayloadKeys(readFileSync(file, "utf8"));
  } catch (error) {
    throw new PayloadKeysError(`The payload keys in ${file} cannot be used: ${messageOf(error)}`);
  }
}
