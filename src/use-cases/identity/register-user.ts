import { uuidv7 } from "uuidv7";
import type { Role } from "../../contract/identity.ts";
import { createUser, giveLogin, type UserRecord } from "../../store/identity/users.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";

/**
 * Gives a login to a new user, or to the user `userId` whose money is known from elsewhere; only an admin (`givenBy`) may ask for that, or for
 * roles. A deleted user's login, and a deleted user, get a login again from an admin alone: nobody else can tell that it is the same person.
 * Not safe to retry blindly: the second call answers LOGIN_TAKEN.
 * Throws: LOGIN_TAKEN when the login or the user id has one; UNAVAILABLE, DEADLINE_EXCEEDED.
 */
export async function registerUser(
  { db, identity }: { readonly db: Db; readonly identity: Pick<Identity, "passwords"> },
  input: {
    readonly login: string;
    readonly password: string;
    readonly userId?: string | undefined;
    readonly roles?: readonly Role[] | undefined;
    readonly givenBy?: { readonly actor: string; readonly correlationId: string } | undefined;
  },
): Promise<UserRecord> {
  const { login, password, userId = uuidv7(), roles = ["user"], givenBy } = input;
  const user = { id: userId, login, passwordHash: await identity.passwords.hash(password), roles };
  return await (givenBy === undefined ? createUser(db, user) : giveLogin(db, { ...user, ...givenBy }));
}
