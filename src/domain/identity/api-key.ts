import { createHash, randomBytes, randomInt } from "node:crypto";
import { crc32 } from "node:zlib";
import { API_KEY_PREFIX } from "../../base/api-key-form.ts";

/** A key, or an OAuth2 client's id and secret, as it was sent. Whether there is such a key is not known yet. */
export interface ApiKeyParts {
  readonly keyId: string;
  /** 64 hex digits that are random and 8 that check them. */
  readonly secret: string;
}

const ID_LENGTH = 16;
const SECRET_BYTES = 32;
const FORM = new RegExp(`^${API_KEY_PREFIX}([a-z]{${ID_LENGTH}})_([0-9a-f]{${SECRET_BYTES * 2 + 8}})$`);

/** A new key's id: letters alone, so that it is never taken for a card number. */
export function makeApiKeyId(): string {
  return Array.from({ length: ID_LENGTH }, () => String.fromCharCode(97 + randomInt(26))).join("");
}

/** A new secret of the key: 256 random bits, and the CRC-32 of the whole key, by which a key that was cut or mistyped is refused without a question. */
export function makeApiSecret(keyId: string): string {
  const random = randomBytes(SECRET_BYTES).toString("hex");
  return random + checksumOf(keyId, random);
}

/** The key as its owner sends it. */
export function writeApiKey({ keyId, secret }: ApiKeyParts): string {
  return `${API_KEY_PREFIX}${keyId}_${secret}`;
}

/** The parts of a key; undefined for any other text, and for a key whose checksum does not fit. */
export function readApiKey(text: string): ApiKeyParts | undefined {
  const [, keyId, secret] = FORM.exec(text) ?? [];
  if (keyId === undefined || secret === undefined) return undefined;
  const random = secret.slice(0, SECRET_BYTES * 2);
  return secret === random + checksumOf(keyId, random) ? { keyId, secret } : undefined;
}

/** What is kept of a secret. It is too random to be guessed, so a plain hash keeps it as well as a slow one. */
export function hashApiSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function checksumOf(keyId: string, random: string): string {
  return crc32(`${API_KEY_PREFIX}${keyId}_${random}`).toString(16).padStart(8, "0");
}
