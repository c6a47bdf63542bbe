import { Buffer } from "node:buffer";

/** A key that payloads of Temporal are encrypted with. */
export interface PayloadKey {
  /** Stands in the open beside what the key encrypted. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Buffer;
}

const KEY_BYTES = 32;
const KEY_LINE = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]{43}=)$/;

/**
 * Reads keys such as `k2:base64,k1:base64`, apart by commas or lines; lines that begin with # are left out. The first key writes, all of
 * them read. Throws: Error in words, which never repeat a key.
 */
export function readPayloadKeys(text: string): readonly PayloadKey[] {
  const entries = text
    .split("\n")
    .filter((line) => !line.trim().startsWith("#"))
    .flatMap((line) => line.split(","))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
  const keys = entries.map((entry, index) => {
    const [, id = "", secret = ""] = KEY_LINE.exec(entry) ?? [];
    if (id === "")
      throw new Error(
        `key ${index + 1} is not NAME:KEY with a name of letters, digits, dots and dashes and ${KEY_BYTES} bytes in base64; \`npm run payload-keys -- make\` makes one`,
      );
    return { id, secret: Buffer.from(secret, "base64") };
  });
  if (keys.length === 0) throw new Error("there is no key; `npm run payload-keys -- make` makes one");
  const twice = keys.find(({ id }, index) => keys.findIndex((other) => other.id === id) !== index);
  if (twice !== undefined) throw new Error(`two keys have the name ${twice.id}`);
  return keys;
}
