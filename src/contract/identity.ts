/** `user` has their own data only, `service` moves money for all users, `admin` may do everything. */
export const ROLES = ["user", "service", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Who sends a request. */
export interface Principal {
  /** The token's `sub`; for a user, the owner of their accounts. */
  readonly subject: string;
  readonly roles: readonly Role[];
  /** The token's identity and end, for a logout. Absent where no token was asked for. */
  readonly token?: { readonly id: string; readonly expiresAtMs: number; readonly sessionId: string | undefined };
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
