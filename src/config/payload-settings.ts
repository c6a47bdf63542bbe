import { z } from "zod";
import { messageOf } from "../base/errors.ts";
import { readPayloadKeys } from "../base/payload-keys.ts";
import { optionalText } from "./optional-text.ts";

/**
 * `off` writes in the open and still reads what is encrypted, with the keys there are; `accept-plain` encrypts, and reads both;
 * `required` encrypts, and refuses what is not encrypted.
 */
export const PAYLOAD_ENCRYPTION = ["off", "accept-plain", "required"] as const;

/** The settings of the encryption of what Temporal keeps: docs/security.md. */
export const PAYLOAD_SETTINGS = {
  TEMPORAL_PAYLOAD_ENCRYPTION: z.enum(PAYLOAD_ENCRYPTION).default("off"),
  TEMPORAL_PAYLOAD_KEYS: z
    .string()
    .superRefine((text, context) => {
      try {
        readPayloadKeys(text);
      } catch (error) {
        context.addIssue({ code: "custom", message: messageOf(error) });
      }
    })
    .optional(),
  TEMPORAL_PAYLOAD_KEYS_FILE: optionalText,
  CODEC_HOST: z.string().min(1).default("127.0.0.1"),
  CODEC_PORT: z
    .string()
    .regex(/^\d{1,5}$/)
    .transform(Number)
    .pipe(z.number().max(65_535))
    .default(8091),
  CODEC_ORIGIN: z
    .string()
    .trim()
    .refine((text) => URL.canParse(text) && new URL(text).origin === text, "must be an origin such as https://temporal.example")
    .optional(),
};

interface PayloadVariables {
  readonly TEMPORAL_PAYLOAD_ENCRYPTION: (typeof PAYLOAD_ENCRYPTION)[number];
  readonly TEMPORAL_PAYLOAD_KEYS?: string | undefined;
  readonly TEMPORAL_PAYLOAD_KEYS_FILE?: string | undefined;
}

/** What is wrong with these settings together, by variable. */
export function* payloadProblems(env: PayloadVariables): Generator<readonly [keyof PayloadVariables, string]> {
  const { TEMPORAL_PAYLOAD_KEYS: keys, TEMPORAL_PAYLOAD_KEYS_FILE: file } = env;
  if (keys !== undefined && file !== undefined)
    yield ["TEMPORAL_PAYLOAD_KEYS_FILE", "must not be given beside TEMPORAL_PAYLOAD_KEYS: one of them has all the keys"];
  if (env.TEMPORAL_PAYLOAD_ENCRYPTION !== "off" && keys === undefined && file === undefined)
    yield ["TEMPORAL_PAYLOAD_ENCRYPTION", "needs TEMPORAL_PAYLOAD_KEYS or TEMPORAL_PAYLOAD_KEYS_FILE"];
}
