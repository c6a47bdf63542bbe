import { createHash } from "node:crypto";
import { errors, jwtVerify, SignJWT, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { isRawNumber, parseJsonKeepingNumbers } from "../../base/raw-json.ts";
import { idProblem, MAX_USER_ID_LENGTH } from "../../contract/id-rule.ts";
import { isRole, ROLES, type Role, type TokenClient, type VerifiedToken } from "../../contract/identity.ts";
import { scopesOf } from "../../contract/scopes.ts";
import type { ExternalIssuer } from "./external-issuer.ts";
import { CLOCK_TOLERANCE_MS, MAX_TOKEN_TTL_MS, type SigningKeys } from "./signing-keys.ts";

/** Who issues Saldo's own tokens, and for whom. */
export interface TokenNames {
  readonly issuer: string;
  readonly audience: string;
}

/** For whom a token is made. */
export interface TokenClaims {
  readonly subject: string;
  readonly roles: readonly Role[];
  readonly sessionId?: string;
  readonly client?: TokenClient;
  readonly ttlMs: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly id: string;
  readonly expiresAtMs: number;
}

/** Throws: UNAUTHENTICATED with the reason in its details, for the log; UNAVAILABLE when the external issuer's keys cannot be had. */
export interface TokenVerifier {
  verify(token: string): Promise<VerifiedToken>;
}

const ALGORITHM = "RS256";
const OWN_TYPE = "at+jwt";
const EXTERNAL_TYPES = new Set(["at+jwt", "application/at+jwt", "jwt"]);
const MAX_TOKEN_LENGTH = 8_192;
const MAX_NAME_LENGTH = 255;
/** The end of the year 9999, less a day: sums made from it must still be dates. */
const MAX_MOMENT_SECONDS = 253_402_214_400;
const COMPACT_FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const CONTROL = /\p{Cc}/u;
const OWN_HEADER = new Set(["alg", "typ", "kid"]);
/** Header parameters with which a token could choose how it is verified, such as a key of its own (`jwk`). */
const REFUSED_HEADER = ["crit", "b64", "jwk"];

/** Signs an access token with the key that signs now. `ttlMs` is cut to a day. */
export async function issueToken(
  keys: SigningKeys,
  names: TokenNames,
  claims: TokenClaims,
  now: () => number = Date.now,
): Promise<IssuedToken> {
  const { kid, privateKey } = keys.current();
  const id = uuidv7();
  const issuedAt = Math.floor(now() / 1_000);
  const expiresAt = issuedAt + Math.floor(Math.min(claims.ttlMs, MAX_TOKEN_TTL_MS) / 1_000);
  const token = await new SignJWT({
    roles: claims.roles,
    ...(claims.sessionId === undefined ? {} : { sid: claims.sessionId }),
    ...(claims.client === undefined ? {} : writeClient(claims.client)),
  })
    .setProtectedHeader({ alg: ALGORITHM, typ: OWN_TYPE, kid })
    .setIssuer(names.issuer)
    .setAudience(names.audience)
    .setSubject(claims.subject)
    .setJti(id)
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(privateKey);
  return { token, id, expiresAtMs: expiresAt * 1_000 };
}

/**
 * Verifies tokens of Saldo itself and of the external issuer, if there is one. The issuer that a token names decides which keys are
 * used; nothing else in a token can bring a key, an address or an algorithm of its own (algorithm confusion).
 */
export function createTokenVerifier(options: {
  readonly keys: SigningKeys;
  readonly names: TokenNames;
  readonly external?: ExternalIssuer | undefined;
  readonly now?: () => number;
}): TokenVerifier {
  const { keys, names, external, now = Date.now } = options;
  return {
    async verify(token) {
      const { header, payload } = readParts(token);
      for (const name of REFUSED_HEADER) if (Object.hasOwn(header, name)) throw refusal(`header ${name}`);
      if (payload["iss"] === names.issuer) return verifyOwn(token, header, { keys, names, now });
      if (external !== undefined && payload["iss"] === external.issuer) return verifyExternal(token, header, external, now);
      throw refusal("issuer");
    },
  };
}

/** The refusal of a token. The reason is for the log; the client is told the same whatever it is. */
export function refusal(reason: string): DomainError {
  return new DomainError("UNAUTHENTICATED", undefined, { reason });
}

async function verifyOwn(
  token: string,
  header: Record<string, unknown>,
  { keys, names, now }: { keys: SigningKeys; names: TokenNames; now: () => number },
): Promise<VerifiedToken> {
  if (Object.keys(header).some((name) => !OWN_HEADER.has(name))) throw refusal("header parameter");
  const { kid } = header;
  const key = typeof kid === "string" ? keys.find(kid) : undefined;
  if (key === undefined) throw refusal("unknown key");
  const payload = await verifyJwt(token, () => key.publicKey, now, {
    issuer: names.issuer,
    audience: names.audience,
    typ: OWN_TYPE,
    requiredClaims: ["iss", "aud", "sub", "jti", "iat", "exp", "roles"],
  });
  const { roles, sid } = payload as { roles?: unknown; sid?: unknown };
  if (!Array.isArray(roles) || roles.length === 0 || !roles.every(isRole)) throw refusal("roles");
  if (sid !== undefined && typeof sid !== "string") throw refusal("session");
  return {
    ...readClaims(payload, now),
    id: readName(payload.jti, "jti"),
    roles,
    sessionId: sid,
    client: readClient(payload),
    keyId: key.kid,
  };
}

// `client_id` and `scope` are those of RFC 9068.
function writeClient({ keyId, generation, scopes }: TokenClient) {
  return { client_id: keyId, client_generation: generation, scope: scopes.join(" ") };
}

// A word that this release does not know gives nothing, and neither does a client's token without any.
function readClient(payload: JWTPayload): TokenClient | undefined {
  const { client_id: keyId, client_generation: generation, scope = "" } = payload;
  if (keyId === undefined) return undefined;
  if (typeof generation !== "number" || !Number.isSafeInteger(generation) || typeof scope !== "string") throw refusal("client");
  return { keyId: readName(keyId, "client_id"), generation, scopes: scope.split(" ").flatMap(scopesOf) };
}

async function verifyExternal(
  token: string,
  header: Record<string, unknown>,
  external: ExternalIssuer,
  now: () => number,
): Promise<VerifiedToken> {
  const type = header["typ"];
  if (type !== undefined && !(typeof type === "string" && EXTERNAL_TYPES.has(type.toLowerCase()))) throw refusal("type");
  const payload = await verifyJwt(token, external.findKey, now, {
    issuer: external.issuer,
    audience: external.audience,
    requiredClaims: ["iss", "aud", "sub", "exp"],
  });
  const id = payload.jti === undefined ? `sha256:${createHash("sha256").update(token).digest("hex")}` : readName(payload.jti, "jti");
  return { ...readClaims(payload, now), id, roles: readRoles(payload, external), sessionId: undefined, keyId: undefined };
}

async function verifyJwt(
  token: string,
  findKey: JWTVerifyGetKey,
  now: () => number,
  rules: { issuer: string; audience: string; typ?: string; requiredClaims: string[] },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, findKey, {
      ...rules,
      algorithms: [ALGORITHM],
      clockTolerance: CLOCK_TOLERANCE_MS / 1_000,
      currentDate: new Date(now()),
    });
    return payload;
  } catch (error) {
    if (error instanceof DomainError) throw error;
    if (error instanceof errors.JOSEError) throw refusal(error.code);
    // A key that is too short or of another kind is a TypeError of the library.
    throw refusal("key");
  }
}

function readClaims(payload: JWTPayload, now: () => number): Pick<VerifiedToken, "subject" | "issuedAtMs" | "expiresAtMs"> {
  const { iat, exp } = payload;
  if (iat !== undefined && iat * 1_000 > now() + CLOCK_TOLERANCE_MS) throw refusal("issued in the future");
  // Further away no date can be written, here or in the database.
  if (typeof exp !== "number" || !(exp < MAX_MOMENT_SECONDS)) throw refusal("exp");
  if (iat !== undefined && !(iat >= 0)) throw refusal("iat");
  return { subject: readSubject(payload.sub), issuedAtMs: (iat ?? 0) * 1_000, expiresAtMs: exp * 1_000 };
}

// The rule of the routes: a subject that no route takes as a user's id could log in and do nothing.
function readSubject(value: unknown): string {
  if (typeof value !== "string" || idProblem(value, MAX_USER_ID_LENGTH) !== undefined) throw refusal("sub");
  return value;
}

function readName(value: unknown, claim: string): string {
  if (typeof value !== "string" || value === "" || value.length > MAX_NAME_LENGTH || CONTROL.test(value)) throw refusal(claim);
  return value;
}

// A list, or words with spaces between, at the claim's name or, as `realm_access.roles`, inside of others. Names Saldo does not know are passed over.
function readRoles(payload: JWTPayload, { rolesClaim, roleWithoutClaim }: ExternalIssuer): readonly Role[] {
  const value = payload[rolesClaim] ?? rolesClaim.split(".").reduce<unknown>(memberOf, payload);
  if (value === undefined) return [roleWithoutClaim];
  const named = typeof value === "string" ? value.split(" ") : Array.isArray(value) ? (value as unknown[]) : [];
  return ROLES.filter((role) => named.includes(role));
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined;
}

// Parsed strictly before any cryptography: a text that two parsers read in two ways must not pass because one of them accepts it.
function readParts(token: string): { header: Record<string, unknown>; payload: Record<string, unknown> } {
  if (token.length > MAX_TOKEN_LENGTH) throw refusal("too long");
  if (!COMPACT_FORM.test(token)) throw refusal("form");
  const [header = "", payload = ""] = token.split(".");
  const parts = { header: readPart(header), payload: readPart(payload) };
  for (const name of ["exp", "nbf", "iat"]) {
    const value = parts.payload[name];
    if (value !== undefined && !isRawNumber(value)) throw refusal(name);
  }
  return parts;
}

function readPart(part: string): Record<string, unknown> {
  try {
    const value = parseJsonKeepingNumbers(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64url")));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Whatever is wrong with it, it is no part of a token.
  }
  throw refusal("form");
}
