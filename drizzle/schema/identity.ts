import { sql } from "drizzle-orm";
import { check, index, integer, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import { keyText, minor, moment } from "../column-types.ts";

/** Who may log in. `id` is the subject of the tokens and, for a user, the owner of accounts. */
export const users = pgTable(
  "users",
  {
    id: keyText("id").primaryKey(),
    login: keyText("login").notNull().unique("users_login"),
    passwordHash: text("password_hash").notNull(),
    roles: text("roles").array().notNull(),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    /** When the user was deleted. */
    disabledAt: moment("disabled_at"),
    /** Since when an operator lets nobody in with this login or with a token of this subject. */
    loginDisabledAt: moment("login_disabled_at"),
  },
  (table) => [check("users_roles", sql`${table.roles} <@ array['user', 'service', 'admin']::text[] and cardinality(${table.roles}) > 0`)],
);

/** One login and everything refreshed from it. Once it is revoked, none of its tokens is accepted. */
export const sessions = pgTable(
  "sessions",
  {
    id: text("id").primaryKey(),
    userId: keyText("user_id")
      .notNull()
      .references(() => users.id),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    expiresAt: moment("expires_at").notNull(),
    revokedAt: moment("revoked_at"),
    reason: text("reason"),
  },
  (table) => [index("sessions_user").on(table.userId), index("sessions_expires").on(table.expiresAt)],
);

/** Refresh tokens by their SHA-256; each is used once. A token that comes a second time was stolen, and its session ends (refresh token rotation). */
export const refreshTokens = pgTable(
  "refresh_tokens",
  {
    hash: text("hash").primaryKey(),
    sessionId: text("session_id")
      .notNull()
      .references(() => sessions.id),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`now()`),
    expiresAt: moment("expires_at").notNull(),
    usedAt: moment("used_at"),
  },
  (table) => [index("refresh_tokens_session").on(table.sessionId), index("refresh_tokens_expires").on(table.expiresAt)],
);

/** Access tokens that are refused before their end, by their `jti`. This table is the truth; Redis only tells other processes sooner. */
export const revokedTokens = pgTable(
  "revoked_tokens",
  {
    tokenId: keyText("token_id").primaryKey(),
    subject: keyText("subject").notNull(),
    expiresAt: moment("expires_at").notNull(),
    revokedAt: moment("revoked_at")
      .notNull()
      .default(sql`now()`),
  },
  (table) => [index("revoked_tokens_expires").on(table.expiresAt)],
);

/** Every token of the subject issued up to this moment is refused. */
export const revokedSubjects = pgTable("revoked_subjects", {
  subject: keyText("subject").primaryKey(),
  revokedUpTo: moment("revoked_up_to").notNull(),
});

/**
 * A credential of a service, by its public id. `secrets` holds the SHA-256 of each secret that opens it or opened it, as
 * `{hash, generation, until?}`: the newest has no end, those it replaced end with their overlap. They stand in the key's own row, so that rotations
 * and a revocation of one moment come one after another.
 */
export const apiKeys = pgTable(
  "api_keys",
  {
    id: keyText("id").primaryKey(),
    name: text("name").notNull(),
    /** The `sub` that its requests have. */
    subject: keyText("subject").notNull(),
    scopes: text("scopes").array().notNull(),
    secrets: jsonb("secrets").notNull(),
    generation: integer("generation").notNull().default(1),
    createdBy: text("created_by").notNull(),
    createdAt: moment("created_at")
      .notNull()
      .default(sql`clock_timestamp()`),
    expiresAt: moment("expires_at").notNull(),
    rotatedAt: moment("rotated_at"),
    revokedAt: moment("revoked_at"),
    /** To the minute: it is not written with each request. */
    lastUsedAt: moment("last_used_at"),
  },
  (table) => [index("api_keys_created").on(table.createdAt, table.id), index("api_keys_subject").on(table.subject)],
);

/** A deleted user, and the sum of their accounts' versions then. A later credit makes them a user again. */
export const closedUsers = pgTable("closed_users", {
  userId: keyText("user_id").primaryKey(),
  closedVersion: minor("closed_version").notNull(),
  closedAt: moment("closed_at").notNull(),
  closedBy: text("closed_by").notNull(),
});
