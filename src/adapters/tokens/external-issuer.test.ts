import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { SILENT_LOG } from "../log.ts";
import { createTokenVerifier, type TokenVerifier } from "./access-tokens.ts";
import { createExternalIssuer } from "./external-issuer.ts";
import { ensureSigningKey, openSigningKeys, type SigningKeys } from "./signing-keys.ts";

const ISSUER = "https://id.example";
const pair = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const stranger = generateKeyPairSync("rsa", { modulusLength: 2_048 });

let directory: string;
let keys: SigningKeys;
let server: Server;
let fetches = 0;
let answer: { status: number; body: string };
let nowMs: number;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "saldo-external-"));
  await ensureSigningKey(directory);
  keys = await openSigningKeys({ directory, log: SILENT_LOG });
});

afterAll(async () => {
  await keys.close();
  rmSync(directory, { recursive: true });
});

beforeEach(async () => {
  fetches = 0;
  nowMs = Date.now();
  answer = { status: 200, body: JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: "jwk" }), kid: "k1", alg: "RS256" }] }) };
  server = createServer((_request, response) => {
    fetches += 1;
    response.writeHead(answer.status, { "content-type": "application/json", location: "/elsewhere" }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(() => new Promise((resolve) => server.close(resolve)));

function verifier(options: { rolesClaim?: string; roleWithoutClaim?: "user" | "service" } = {}): TokenVerifier {
  const { port } = server.address() as AddressInfo;
  const external = createExternalIssuer({
    jwksUrl: `http://127.0.0.1:${port}/jwks`,
    issuer: ISSUER,
    audience: "saldo",
    rolesClaim: options.rolesClaim ?? "roles",
    roleWithoutClaim: options.roleWithoutClaim ?? "user",
    log: SILENT_LOG,
    now: () => nowMs,
  });
  return createTokenVerifier({ keys, names: { issuer: "saldo", audience: "saldo-api" }, external });
}

function token(claims: Record<string, unknown> = {}, options: { kid?: string; key?: KeyObject; typ?: string } = {}): Promise<string> {
  const { kid = "k1", key = pair.privateKey, typ } = options;
  return new SignJWT({ iss: ISSUER, aud: "saldo", sub: "ext-7", exp: Math.floor(Date.now() / 1_000) + 600, ...claims })
    .setProtectedHeader({ alg: "RS256", kid, ...(typ === undefined ? {} : { typ }) })
    .sign(key);
}

it("tokens of the external issuer are taken, with or without an id and a type, and the key list is fetched once", async () => {
  const verify = verifier();
  expect(await verify.verify(await token({ jti: "j-1", roles: ["service", "viewer"] }, { typ: "JWT" }))).toMatchObject({
    id: "j-1",
    subject: "ext-7",
    roles: ["service"],
    sessionId: undefined,
    keyId: undefined,
  });
  const withoutId = await token();
  const verified = await verify.verify(withoutId);
  expect(verified.roles).toEqual(["user"]);
  expect(verified.id).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect((await verify.verify(withoutId)).id).toBe(verified.id);
  await verify.verify(await token({}, { typ: "at+jwt" }));
  expect(fetches).toBe(1);
});

it.each([
  ["another audience", () => token({ aud: "someone-else" })],
  ["another type", () => token({}, { typ: "rt+jwt" })],
  ["a stranger's key", () => token({}, { key: stranger.privateKey })],
  ["no subject", () => token({ sub: undefined })],
  ["no end", () => token({ exp: undefined })],
  ["an end in the past", () => token({ exp: Math.floor(Date.now() / 1_000) - 61 })],
])("one with %s is refused", async (_what, make) => {
  await expect(verifier().verify(await make())).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});

it("a token that names Saldo as its issuer is never checked with the external issuer's keys", async () => {
  await expect(verifier().verify(await token({ iss: "saldo" }))).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  expect(fetches).toBe(0);
});

it("roles are a list or words, may lie inside of other claims, and an unknown name gives no right", async () => {
  const roles = async (rolesClaim: string, claims: Record<string, unknown>) =>
    (await verifier({ rolesClaim, roleWithoutClaim: "service" }).verify(await token(claims))).roles;
  expect(await roles("scope", { scope: "openid admin user" })).toEqual(["user", "admin"]);
  expect(await roles("realm_access.roles", { realm_access: { roles: ["service"] } })).toEqual(["service"]);
  expect(await roles("https://id.example/roles", { "https://id.example/roles": ["admin"] })).toEqual(["admin"]);
  expect(await roles("roles", { roles: ["root"] })).toEqual([]);
  expect(await roles("roles", { roles: { admin: true } })).toEqual([]);
  expect(await roles("roles", {})).toEqual(["service"]);
});

it("a thousand unknown keys cause at most one more fetch", async () => {
  const verify = verifier();
  await verify.verify(await token());
  const unknown = await Promise.all(Array.from({ length: 20 }, (_, place) => token({}, { kid: `unknown-${place}` })));
  await Promise.all(
    Array.from({ length: 1_000 }, (_, place) =>
      expect(verify.verify(unknown[place % unknown.length] ?? "")).rejects.toMatchObject({ code: "UNAUTHENTICATED" }),
    ),
  );
  expect(fetches).toBeLessThanOrEqual(2);
});

it.each([
  ["an error", { status: 500, body: "" }],
  ["a redirect", { status: 302, body: "" }],
  ["no key list", { status: 200, body: "<html>" }],
])("while the key list is %s nobody is told that the token is bad, and it is not asked for by every request", async (_what, bad) => {
  const good = answer;
  answer = bad;
  const verify = verifier();
  const one = await token();
  for (let time = 0; time < 20; time += 1) await expect(verify.verify(one)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  expect(fetches).toBeLessThanOrEqual(bad.status === 200 ? 20 : 1);
  answer = good;
  nowMs += 2_000;
  expect((await verify.verify(one)).subject).toBe("ext-7");
});
