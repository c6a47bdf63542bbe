import { ApplicationFailure, METADATA_ENCODING_KEY, type Payload, type PayloadCodec } from "@temporalio/common";
import proto from "@temporalio/proto";
import { DomainError } from "../../base/errors.ts";
import type { PayloadKey } from "../../base/payload-keys.ts";
import { open, seal } from "./xaes.ts";

/** What Temporal's own samples call it, so that its Web UI and CLI know that a codec server is needed. */
const ENCODING = Buffer.from("binary/encrypted");
const KEY_ID = "encryption-key-id";
/** What stands there is anybody's who may write to Temporal; an error repeats no more of it than a key's name is long. */
const SHOWN_OF_KEY_ID = 64;
/** The encryption of a payload, in its metadata: another one can come beside it later. */
const CIPHER = "encryption-cipher";
const XAES = "xaes-256-gcm";

const { Payload: PayloadMessage } = proto.temporal.api.common.v1;

export interface PayloadCodecOptions {
  /** The first key writes, all of them read. */
  readonly keys: readonly PayloadKey[];
  /** False: payloads are written in the open. */
  readonly encrypts: boolean;
  /** Whether payloads that are not encrypted are read. */
  readonly acceptsPlain: boolean;
}

/**
 * Encrypts and decrypts whole payloads, data and metadata. An encrypted payload names its key in the open.
 * Throws at decoding: ApplicationFailure of the type PAYLOAD_UNREADABLE, behind which a DomainError of that code stands, for a key that is not
 * known here, for content that was changed, and for a payload in the open where none is accepted. It may be tried again: a task of a workflow
 * or of an activity that meets it waits.
 */
export function createPayloadCodec(options: PayloadCodecOptions): PayloadCodec {
  const keys = new Map(options.keys.map((key) => [key.id, key]));
  const [writes] = options.keys;
  return {
    encode: async (payloads) => {
      if (!options.encrypts || writes === undefined) return [...payloads];
      // What is encrypted already comes from a client that was given an encrypted payload to hand on.
      return payloads.map((payload) => (isEncrypted(payload) ? payload : encrypt(payload, writes)));
    },
    decode: async (payloads) =>
      payloads.map((payload) => {
        if (isEncrypted(payload)) return decrypt(payload, keys);
        if (options.acceptsPlain) return payload;
        throw unreadable("plaintext", "a payload is not encrypted, and TEMPORAL_PAYLOAD_ENCRYPTION=required takes no other");
      }),
  };
}

/** Whether the payload was made by this codec, with whatever key. */
export function isEncrypted({ metadata }: Payload): boolean {
  const encoding = metadata?.[METADATA_ENCODING_KEY];
  return encoding !== undefined && encoding !== null && ENCODING.equals(encoding);
}

/** The name of the key that encrypted the payload; undefined for a payload in the open. */
export function keyIdOf(payload: Payload): string | undefined {
  return isEncrypted(payload) ? textOf(payload, KEY_ID) : undefined;
}

function encrypt(payload: Payload, key: PayloadKey): Payload {
  const plain = PayloadMessage.encode(PayloadMessage.fromObject(payload)).finish();
  return {
    metadata: { [METADATA_ENCODING_KEY]: ENCODING, [KEY_ID]: Buffer.from(key.id), [CIPHER]: Buffer.from(XAES) },
    data: seal(key.secret, plain, extraOf(key.id)),
  };
}

function decrypt(payload: Payload, keys: ReadonlyMap<string, PayloadKey>): Payload {
  const keyId = textOf(payload, KEY_ID);
  const cipher = textOf(payload, CIPHER);
  if (cipher !== XAES) throw unreadable("cipher", "a payload is encrypted in a way that this version does not know", keyId);
  const shown = keyId.slice(0, SHOWN_OF_KEY_ID);
  const key = keys.get(keyId);
  if (key === undefined)
    throw unreadable("unknown-key", `a payload is encrypted with the key ${shown}, which this process was not given`, keyId);
  let plain: Buffer;
  try {
    plain = open(key.secret, payload.data ?? new Uint8Array(), extraOf(keyId));
  } catch {
    throw unreadable("changed", `a payload of the key ${keyId} was changed, or another key has that name`, keyId);
  }
  const { metadata, data } = PayloadMessage.decode(plain);
  return { metadata, data };
}

function extraOf(keyId: string): Buffer {
  return Buffer.from(`saldo/${XAES}/${keyId}`);
}

function textOf({ metadata }: Payload, name: string): string {
  return Buffer.from(metadata?.[name] ?? []).toString("utf8");
}

type Reason = "plaintext" | "cipher" | "unknown-key" | "changed";

function unreadable(reason: Reason, message: string, keyId?: string): ApplicationFailure {
  const details = { reason, ...(keyId === undefined ? {} : { keyId: keyId.slice(0, SHOWN_OF_KEY_ID) }) };
  const cause = new DomainError("PAYLOAD_UNREADABLE", message, details);
  return ApplicationFailure.create({ type: "PAYLOAD_UNREADABLE", message, cause });
}
