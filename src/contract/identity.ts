import type { Scope } from "./scopes.ts";

/** `user` has their own data only, `service` moves money for all users, `admin` may do everything. */
export const ROLES = ["user", "service", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** The roles of every API key; its scopes narrow them. */
export const KEY_ROLES: readonly Role[] = ["service"];

/** Who sends a request. */
export interface Principal {
  /** The token's `sub`; for a user, the owner of their accounts. */
  readonly subject: string;
  readonly roles: readonly Role[];
  /** The token's identity and end, for a logout. Absent where no token was asked for. */
  readonly token?: { readonly id: string; readonly expiresAtMs: number; readonly sessionId: string | undefined };
  /** There when an API key, or a token that was got with one, is behind the request: only this much of its role it may use. */
  readonly key?: KeyOfPrincipal | undefined;
}

/** The API key behind a request. */
export interface KeyOfPrincipal {
  readonly keyId: string;
  readonly scopes: readonly Scope[];
}

/** The API key that a token was got with: it ends with the key, and with the secret of the key that was shown for it. */
export interface TokenClient extends KeyOfPrincipal {
  /** Which of the key's secrets was shown: 1 for its first. */
  readonly generation: number;
}

/** Who sends each request where authentication is off, which only a server on a loopback address may have. */
export const LOCAL_PRINCIPAL: Principal = { subject: "local", roles: ROLES };

/** What a verified token says. */
export interface VerifiedToken {
  /** Its `jti`; of a token of the external issuer that has none, a hash of the token. */
  readonly id: string;
  readonly subject: string;
  readonly roles: readonly Role[];
  /** The session it belongs to; only tokens of a login have one. */
  readonly sessionId: string | undefined;
  /** Only tokens of client credentials have one. */
  readonly client?: TokenClient | undefined;
  /** The name of Saldo's own key that signed it; none for a token of the external issuer. */
  readonly keyId: string | undefined;
  /** Zero when the external issuer did not say. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** True when the text is the name of a role. */
export function isRole(text: unknown): text is Role {
  return ROLES.some((role) => role === text);
}
