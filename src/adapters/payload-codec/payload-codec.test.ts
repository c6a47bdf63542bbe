import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApplicationFailure, defaultPayloadConverter, type Payload } from "@temporalio/common";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { domainErrorIn } from "../../base/errors.ts";
import { readPayloadKeys } from "../../base/payload-keys.ts";
import { createPayloadCodec, keyIdOf } from "./payload-codec.ts";
import { openPayloadProtection, PayloadKeysError, payloadsInWords } from "./payload-protection.ts";
import { open, seal } from "./xaes.ts";

const first = { id: "k1", secret: randomBytes(32) };
const second = { id: "k2", secret: randomBytes(32) };
const strict = createPayloadCodec({ keys: [first], encrypts: true, acceptsPlain: false });
const folder = mkdtempSync(join(tmpdir(), "saldo-payload-keys-"));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const reasonOf = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ApplicationFailure);
  expect(error).toMatchObject({ type: "PAYLOAD_UNREADABLE", nonRetryable: false });
  return domainErrorIn(error)?.details["reason"];
};

describe("XAES-256-GCM", () => {
  // The two vectors of c2sp.org/XAES-256-GCM: the two ways in which the first key's mask is made.
  it.each([
    [1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"],
    [3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"],
  ])("gives what its specification gives for a key of bytes %i", (byte, extra, expected) => {
    const sealed = seal(Buffer.alloc(32, byte), Buffer.from("XAES-256-GCM"), Buffer.from(extra), Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWX"));
    expect(sealed.subarray(24).toString("hex")).toBe(expected);
    expect(open(Buffer.alloc(32, byte), sealed, Buffer.from(extra)).toString()).toBe("XAES-256-GCM");
  });
});

describe("the payload codec", () => {
  it("gives back what it was given, whatever it is, and shows nothing of it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.string(), async (data, encoding) => {
        const payload: Payload = { metadata: { encoding: Buffer.from(encoding), more: new Uint8Array([0, 255]) }, data };
        const [encoded] = await strict.encode([payload]);
        expect(Object.keys(encoded?.metadata ?? {}).toSorted()).toEqual(["encoding", "encryption-cipher", "encryption-key-id"]);
        const [decoded] = await strict.decode([encoded as Payload]);
        expect(Buffer.from(decoded?.data ?? [])).toEqual(Buffer.from(data));
        expect(Buffer.from(decoded?.metadata?.["encoding"] ?? []).toString()).toBe(Buffer.from(encoding).toString());
        expect(Buffer.from(decoded?.metadata?.["more"] ?? [])).toEqual(Buffer.from([0, 255]));
      }),
    );
    const [one, other] = await strict.encode([payloadOf("anna"), payloadOf("anna")]);
    expect(Buffer.from(one?.data ?? []).equals(Buffer.from(other?.data ?? []))).toBe(false);
    expect(Buffer.from(one?.data ?? []).includes("anna")).toBe(false);
  });

  it("refuses every changed bit, a foreign key of the same name, and an unknown key by its name", async () => {
    const [encoded] = await strict.encode([payloadOf({ userId: "anna" })]);
    const data = Buffer.from(encoded?.data ?? []);
    for (let bit = 0; bit < data.length * 8; bit += 7) {
      const changed = Buffer.from(data);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await reasonOf(strict.decode([{ ...encoded, data: changed }]))).toBe("changed");
    }
    expect(await reasonOf(strict.decode([{ ...encoded, data: data.subarray(0, 30) }]))).toBe("changed");
    const sameName = createPayloadCodec({ keys: [{ ...second, id: "k1" }], encrypts: true, acceptsPlain: false });
    expect(await reasonOf(sameName.decode([encoded as Payload]))).toBe("changed");
    const others = createPayloadCodec({ keys: [second], encrypts: true, acceptsPlain: true });
    expect(await reasonOf(others.decode([encoded as Payload]))).toBe("unknown-key");
    // The key's name is authenticated: the same key under another name does not open it.
    const renamed = createPayloadCodec({ keys: [{ ...first, id: "k3" }], encrypts: true, acceptsPlain: false });
    const metadata = { ...encoded?.metadata, "encryption-key-id": Buffer.from("k3") };
    expect(await reasonOf(renamed.decode([{ ...encoded, metadata }]))).toBe("changed");
  });

  it("repeats no more of a key's name than a name is long: whoever may write to Temporal would fill the log with it", async () => {
    const [encoded] = await strict.encode([payloadOf("anna")]);
    const metadata = { ...encoded?.metadata, "encryption-key-id": Buffer.alloc(100_000, "x") };
    const message = await strict.decode([{ ...encoded, metadata }]).catch((error: Error) => error.message);
    expect(message).toMatch(/^a payload is encrypted with the key x{64}, which/);
  });

  it("refuses plaintext only where it must, and writes it only where encryption is off", async () => {
    const plain = payloadOf("anna");
    expect(await reasonOf(strict.decode([plain]))).toBe("plaintext");
    const both = createPayloadCodec({ keys: [second, first], encrypts: true, acceptsPlain: true });
    expect(await both.decode([plain])).toEqual([plain]);
    const reading = createPayloadCodec({ keys: [first], encrypts: false, acceptsPlain: true });
    expect(await reading.encode([plain])).toEqual([plain]);
    const [encoded] = await strict.encode([plain]);
    expect(await reading.decode([encoded as Payload])).toMatchObject([{ metadata: { encoding: expect.anything() as unknown } }]);
  });

  it("writes with the first key and reads with all, so that a key is changed without a stop", async () => {
    const rotating = createPayloadCodec({ keys: [second, first], encrypts: true, acceptsPlain: false });
    const [old] = await strict.encode([payloadOf("anna")]);
    const [young] = await rotating.encode([payloadOf("bob")]);
    expect([keyIdOf(old as Payload), keyIdOf(young as Payload)]).toEqual(["k1", "k2"]);
    const decoded = await rotating.decode([old as Payload, young as Payload]);
    expect(decoded.map((payload) => defaultPayloadConverter.fromPayload(payload))).toEqual(["anna", "bob"]);
  });
});

describe("the keys of the configuration", () => {
  const line = ({ id, secret }: typeof first) => `${id}:${secret.toString("base64")}`;

  it("come from a file with a line for each, which not everybody may read", () => {
    const file = join(folder, "keys");
    const settings = {
      TEMPORAL_PAYLOAD_ENCRYPTION: "required",
      TEMPORAL_PAYLOAD_KEYS: undefined,
      TEMPORAL_PAYLOAD_KEYS_FILE: file,
    } as const;
    writeFileSync(file, `# the second since spring\n${line(second)}\n${line(first)}\n`, { mode: 0o400 });
    expect(openPayloadProtection(settings)).toMatchObject({ encrypts: true });
    chmodSync(file, 0o444);
    expect(() => openPayloadProtection(settings)).toThrow(PayloadKeysError);
    expect(() => openPayloadProtection(settings)).toThrow(/every user of this machine may read it/);
    expect(() => openPayloadProtection({ ...settings, TEMPORAL_PAYLOAD_KEYS_FILE: join(folder, "none") })).toThrow(/ENOENT/);
  });

  it("are refused in words that repeat none of them", () => {
    expect(readPayloadKeys(`${line(second)}, ${line(first)}`).map(({ id }) => id)).toEqual(["k2", "k1"]);
    const short = randomBytes(16).toString("base64");
    for (const [text, words] of [
      [`k1:${short}`, /key 1 is not NAME:KEY/],
      [`${line(first)},${first.secret.toString("base64")}`, /key 2 is not NAME:KEY/],
      [`${line(first)}\n${line({ ...second, id: "k1" })}`, /two keys have the name k1/],
      ["\n#\n", /there is no key/],
    ] as const) {
      expect(() => readPayloadKeys(text)).toThrow(words);
      expect(() => readPayloadKeys(text)).not.toThrow(short);
    }
  });
});

it.each([
  ["off", undefined, "off: Temporal keeps them in the open"],
  ["off", [first], "off: written in the open; read with the key k1"],
  ["accept-plain", [first, second], "accept-plain: written with the key k1, also read with k2; what is in the open is read"],
  ["required", [first], "required: written with the key k1; what is in the open is refused"],
] as const)("is told in one line that names keys and shows none: %s", (mode, keys, expected) => {
  const text = keys?.map(({ id, secret }) => `${id}:${secret.toString("base64")}`).join(",");
  const settings = { TEMPORAL_PAYLOAD_ENCRYPTION: mode, TEMPORAL_PAYLOAD_KEYS: text, TEMPORAL_PAYLOAD_KEYS_FILE: undefined };
  expect(payloadsInWords(settings)).toBe(expected);
});
