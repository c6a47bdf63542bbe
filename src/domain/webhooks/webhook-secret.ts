import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const SECRET_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = "a256gcm.";
const PLAIN = "plain.";

/** A new secret as the Standard Webhooks convention writes it: `whsec_` and base64. */
export function makeWebhookSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString("base64")}`;
}

/** A secret as it is kept: encrypted for its webhook with the key of 32 bytes, or verbatim where no key is configured. */
export function sealSecret(secret: string, webhookId: string, key: Buffer | undefined): string {
  if (key === undefined) return `${PLAIN}${secret}`;
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(Buffer.from(webhookId));
  const sealed = Buffer.concat([iv, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `${SEALED}${sealed.toString("base64")}`;
}

/** The secret that `sealSecret` sealed. Throws: Error when the key is another one or missing, or the secret is another webhook's. */
export function openSecret(sealed: string, webhookId: string, key: Buffer | undefined): string {
  if (sealed.startsWith(PLAIN)) return sealed.slice(PLAIN.length);
  const bytes = Buffer.from(sealed.slice(SEALED.length), "base64");
  try {
    if (key === undefined || !sealed.startsWith(SEALED)) throw new Error("no key");
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, IV_BYTES)).setAAD(Buffer.from(webhookId));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    return decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, "utf8") + decipher.final("utf8");
  } catch {
    throw new Error("the webhook's secret cannot be opened with the configured key");
  }
}
