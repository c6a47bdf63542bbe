import { createHmac, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DomainError } from "../../base/errors.ts";
import { SILENT_LOG } from "../log.ts";
import { createTokenVerifier, issueToken, type TokenVerifier } from "./access-tokens.ts";
import { ensureSigningKey, openSigningKeys, retireSigningKeys, rotateSigningKey, type SigningKeys } from "./signing-keys.ts";
import { rememberVerified } from "./token-memory.ts";

const NAMES = { issuer: "saldo", audience: "saldo-api" };
const NOW_S = Math.floor(Date.now() / 1_000);
const stranger = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" });

let directory: string;
let keys: SigningKeys;
let verifier: TokenVerifier;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "saldo-tokens-"));
  await ensureSigningKey(directory);
  keys = await openSigningKeys({ directory, log: SILENT_LOG });
  verifier = createTokenVerifier({ keys, names: NAMES, now: () => NOW_S * 1_000 });
});

afterAll(async () => {
  await keys.close();
  rmSync(directory, { recursive: true });
});

type Json = Record<string, unknown>;
const encode = (value: Json | string) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const header = (changes: Json = {}) => ({ alg: "RS256", typ: "at+jwt", kid: keys.current().kid, ...changes });
const payload = (changes: Json = {}) => ({
  iss: "saldo",
  aud: "saldo-api",
  sub: "anna",
  jti: "token-1",
  iat: NOW_S,
  exp: NOW_S + 900,
  roles: ["user"],
  ...changes,
});

/** A token whose signature is right for its content, unless another key or way of signing is given. */
function make(
  parts: { header?: Json | string; payload?: Json | string; key?: KeyObject; signature?: (input: string) => Buffer } = {},
): string {
  const input = `${encode(parts.header ?? header())}.${encode(parts.payload ?? payload())}`;
  const signature = parts.signature?.(input) ?? sign("sha256", Buffer.from(input), parts.key ?? keys.current().privateKey);
  return `${input}.${signature.toString("base64url")}`;
}

async function reasonOf(token: string): Promise<string> {
  const error: unknown = await verifier.verify(token).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error === undefined) return "accepted";
  if (!(error instanceof DomainError) || error.code !== "UNAUTHENTICATED") throw error;
  expect(error.message).toBe("The request needs a valid access token.");
  return error.details["reason"] ?? "";
}

describe("an access token", () => {
  it("that Saldo issued is accepted, and says who asks", async () => {
    const issued = await issueToken(keys, NAMES, { subject: "anna", roles: ["user", "admin"], sessionId: "s-1", ttlMs: 900_000 });
    expect(await createTokenVerifier({ keys, names: NAMES }).verify(issued.token)).toMatchObject({
      id: issued.id,
      subject: "anna",
      roles: ["user", "admin"],
      sessionId: "s-1",
      expiresAtMs: issued.expiresAtMs,
      keyId: keys.current().kid,
    });
    expect(await reasonOf(make())).toBe("accepted");
  });

  it("lives a day at most, whatever was asked for", async () => {
    const issued = await issueToken(keys, NAMES, { subject: "anna", roles: ["user"], ttlMs: 10 * 86_400_000 });
    expect(issued.expiresAtMs - Date.now()).toBeLessThanOrEqual(86_400_000);
  });

  it.each([
    ["alg none", () => make({ header: header({ alg: "none" }), signature: () => Buffer.alloc(0) }) + "AA"],
    ["alg None with an empty signature", () => make({ header: header({ alg: "None" }), signature: () => Buffer.alloc(0) })],
    ["alg nOnE", () => make({ header: header({ alg: "nOnE" }) })],
    [
      "HS256 signed with the public key's text",
      () =>
        make({
          header: header({ alg: "HS256" }),
          signature: (input) =>
            createHmac("sha256", keys.current().publicKey.export({ type: "spki", format: "pem" }))
              .update(input)
              .digest(),
        }),
    ],
    [
      "RS384",
      () => make({ header: header({ alg: "RS384" }), signature: (input) => sign("sha384", Buffer.from(input), keys.current().privateKey) }),
    ],
    [
      "PS256",
      () =>
        make({
          header: header({ alg: "PS256" }),
          signature: (input) => sign("sha256", Buffer.from(input), { key: keys.current().privateKey, padding: 6, saltLength: 32 }),
        }),
    ],
    ["ES256", () => make({ header: header({ alg: "ES256" }), key: elliptic.privateKey })],
    ["a stranger's signature", () => make({ key: stranger.privateKey })],
    [
      "its own key in the header",
      () => make({ header: header({ jwk: stranger.publicKey.export({ format: "jwk" }) }), key: stranger.privateKey }),
    ],
    ["a key address in the header", () => make({ header: header({ jku: "https://attacker.example/jwks" }), key: stranger.privateKey })],
    [
      "a certificate address in the header",
      () => make({ header: header({ x5u: "https://attacker.example/cert" }), key: stranger.privateKey }),
    ],
    ["a key address in a header that is signed rightly", () => make({ header: header({ jku: "https://attacker.example/jwks" }) })],
    ["a kid that is a path", () => make({ header: header({ kid: "../../dev/null" }), signature: () => Buffer.from("x") })],
    ["a kid that is SQL", () => make({ header: header({ kid: "' or 1=1 --" }) })],
    ["a kid of 5 KB", () => make({ header: header({ kid: "k".repeat(5_000) }) })],
    ["a kid of 10 KB", () => make({ header: header({ kid: "k".repeat(10_000) }) })],
    ["a kid that is a list", () => make({ header: header({ kid: [keys.current().kid] }) })],
    ["no kid", () => make({ header: { alg: "RS256", typ: "at+jwt" } })],
    ["a changed signature", () => make().replace(/.{4}$/, "AAAA")],
    ["a truncated signature", () => make().slice(0, -10)],
    ["a changed payload", () => make().replace(/\.[^.]+\./, `.${encode(payload({ sub: "mallory" }))}.`)],
    ["five parts", () => `${make()}.AAAA.AAAA`],
    ["two parts", () => make().split(".").slice(0, 2).join(".")],
    ["an unknown crit", () => make({ header: header({ crit: ["x-unknown"], "x-unknown": 1 }) })],
    ["b64 false", () => make({ header: header({ b64: false, crit: ["b64"] }) })],
    ["b64 false without crit", () => make({ header: header({ b64: false }) })],
    ["another issuer", () => make({ payload: payload({ iss: "someone" }) })],
    ["no issuer", () => make({ payload: payload({ iss: undefined }) })],
    ["another audience", () => make({ payload: payload({ aud: "another-api" }) })],
    ["no audience", () => make({ payload: payload({ aud: undefined }) })],
    ["type JWT", () => make({ header: header({ typ: "JWT" }) })],
    ["no type", () => make({ header: { alg: "RS256", kid: keys.current().kid } })],
    ["the type of a refresh token", () => make({ header: header({ typ: "rt+jwt" }) })],
    ["an end 61 s ago", () => make({ payload: payload({ exp: NOW_S - 61 }) })],
    ["a beginning in 61 s", () => make({ payload: payload({ nbf: NOW_S + 61 }) })],
    ["an issue in 61 s", () => make({ payload: payload({ iat: NOW_S + 61 }) })],
    ["no end", () => make({ payload: payload({ exp: undefined }) })],
    ["no id", () => make({ payload: payload({ jti: undefined }) })],
    ["an empty id", () => make({ payload: payload({ jti: "" }) })],
    ["an id that is a number", () => make({ payload: payload({ jti: 7 }) })],
    ["no subject", () => make({ payload: payload({ sub: undefined }) })],
    ["an empty subject", () => make({ payload: payload({ sub: "" }) })],
    ["a subject of 256 characters", () => make({ payload: payload({ sub: "x".repeat(256) }) })],
    ["a subject that no address can name", () => make({ payload: payload({ sub: ".." }) })],
    ["a subject with a path", () => make({ payload: payload({ sub: "realm/../anna" }) })],
    ["a subject with a line end", () => make({ payload: payload({ sub: "anna\r\nadmin" }) })],
    ["no issue time", () => make({ payload: payload({ iat: undefined }) })],
    ["an end as text", () => make({ payload: payload({ exp: String(NOW_S + 900) }) })],
    ["an end as a list", () => make({ payload: payload({ exp: [NOW_S + 900] }) })],
    ["an end beyond all dates", () => make({ payload: payload({ exp: 1e15 }) })],
    ["an issue before all dates", () => make({ payload: payload({ iat: -1e15 }) })],
    ["an end that is null", () => make({ payload: payload({ exp: null }) })],
    ["roles as text", () => make({ payload: payload({ roles: "admin" }) })],
    ["a role that does not exist", () => make({ payload: payload({ roles: ["user", "root"] }) })],
    ["no role", () => make({ payload: payload({ roles: [] }) })],
    ["a claim that stands twice", () => make({ payload: JSON.stringify(payload()).replace("{", '{"sub":"mallory",') })],
    ["a header parameter that stands twice", () => make({ header: JSON.stringify(header()).replace("{", '{"alg":"none",') })],
    ["a claim named __proto__", () => make({ payload: JSON.stringify(payload()).replace("{", '{"__proto__":{"roles":["admin"]},') })],
    ["a payload that is a list", () => make({ payload: "[]" })],
    ["a payload that is not JSON", () => make({ payload: "not json" })],
    ["100 KB", () => make({ payload: payload({ padding: "p".repeat(100_000) }) })],
    ["no content", () => ".."],
  ])("with %s is refused", async (_what, token) => {
    expect(await reasonOf(token())).not.toBe("accepted");
  });

  it("is accepted up to a minute past its end, and before its beginning, as clocks differ", async () => {
    expect(await reasonOf(make({ payload: payload({ exp: NOW_S - 58 }) }))).toBe("accepted");
    expect(await reasonOf(make({ payload: payload({ nbf: NOW_S + 58, iat: NOW_S + 58 }) }))).toBe("accepted");
  });

  it("never makes the verifier call anybody", async () => {
    const call = vi.spyOn(globalThis, "fetch");
    for (const name of ["jku", "x5u"])
      await reasonOf(make({ header: header({ [name]: "http://127.0.0.1:1/" }), key: stranger.privateKey }));
    expect(call).not.toHaveBeenCalled();
    call.mockRestore();
  });
});

describe("the memory of verified tokens", () => {
  it("pays for the signature once, and refuses the token when it ends or its key is taken away", async () => {
    const folder = mkdtempSync(join(tmpdir(), "saldo-tokens-"));
    let nowMs = Date.now();
    const now = () => nowMs;
    await ensureSigningKey(folder, now);
    const own = await openSigningKeys({ directory: folder, log: SILENT_LOG, now });
    const inner = createTokenVerifier({ keys: own, names: NAMES, now });
    const verify = vi.fn(inner.verify);
    const remembering = rememberVerified({ verify }, own, now);
    const { token, expiresAtMs } = await issueToken(own, NAMES, { subject: "anna", roles: ["user"], ttlMs: 900_000 }, now);
    const first = await remembering.verify(token);
    expect(await remembering.verify(token)).toBe(first);
    expect(verify).toHaveBeenCalledTimes(1);

    const leaked = own.current().kid;
    const { signsFromMs } = await rotateSigningKey(folder, { soon: true, now });
    nowMs = signsFromMs;
    await retireSigningKeys(folder, { kid: leaked, now });
    await own.reread();
    await expect(remembering.verify(token)).rejects.toMatchObject({ details: { reason: "unknown key" } });

    const next = await issueToken(own, NAMES, { subject: "anna", roles: ["user"], ttlMs: 900_000 }, now);
    await remembering.verify(next.token);
    nowMs = expiresAtMs + 120_000;
    await expect(remembering.verify(next.token)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await own.close();
    rmSync(folder, { recursive: true });
  });

  it("keeps no token that was refused", async () => {
    const verify = vi.fn(verifier.verify);
    const remembering = rememberVerified({ verify }, keys);
    const bad = make({ key: stranger.privateKey });
    for (let time = 0; time < 2; time += 1) await expect(remembering.verify(bad)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(verify).toHaveBeenCalledTimes(2);
  });
});
