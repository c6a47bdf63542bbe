/** `user` has their own data only, `service` moves money for all users, `admin` may do everything. */
export const ROLES = ["user", "service", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Who asks. */
export interface Principal {
  /** The token's `sub`; for a user, the owner of their accounts. */
  readonly subject: string;
  readonly roles: readonly Role[];
  /** The token's `jti` and end, for a logout. Absent where no token was asked for. */
  readonly token?: { readonly id: string | undefined; readonly expiresAtMs: number; readonly sessionId: string | undefined };
}

/** Who asks where authentication is off, which only a loopback address may be. */
export const LOCAL_PRINCIPAL: Principal = { subject: "local", roles: ROLES };
