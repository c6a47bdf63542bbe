import { uuidv7 } from "uuidv7";
import type { Role } from "../../contract/identity.ts";
import { createUser, type UserRecord } from "../../store/identity/users.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Identity } from "./identity.ts";

/**
 * Gives a login to a new user, or to the user `userId` whose money is known from elsewhere; only an admin may ask for that, or for roles.
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
  },
): Promise<UserRecord> {
  const { login, password, userId = uuidv7(), roles = ["user"] } = input;
  return await createUser(db, { id: userId, login, passwordHash: await identity.passwords.hash(password), roles });
}
