import { hash, parseOptions, verify } from "@node-rs/argon2";
import { DomainError } from "../../base/errors.ts";

/** How a password compares with its hash. `stale`: it is right, and the hash was made with other parameters, or of another Unicode form. */
export type PasswordCheck = "wrong" | "right" | "stale";

/**
 * A password is its text in Unicode's composed form (NFC): keyboards and systems write one `é` as one character or as two.
 * Both throw UNAVAILABLE when too many wait already: one hash takes 46 MiB and a core.
 */
export interface PasswordHasher {
  /** The password as argon2id in its PHC form. */
  hash(password: string): Promise<string>;
  /** Compares the password with a hash; without one it takes the same time and is `wrong`. */
  check(password: string, known: string | undefined): Promise<PasswordCheck>;
}

// Appendix C of OWASP ASVS 5.0, with argon2id, which is the library's own choice.
const PARAMETERS = { memoryCost: 47_104, timeCost: 1, parallelism: 1 } as const;
const MAX_AT_ONCE = 2;
const MAX_WAITING = 30;
const encode = (bytes: number) => Buffer.alloc(bytes).toString("base64").replaceAll("=", "");
/**
 * A hash with today's parameters that no password has. The password for an unknown login is compared with it, so that the time of the
 * answer gives no login away (user enumeration).
 */
const NOBODY = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$${encode(16)}$${encode(32)}`;

/** Hashes passwords with argon2id, at most two at once; some more wait, the rest is refused. */
export function createPasswordHasher(): PasswordHasher {
  let running = 0;
  const waiting: (() => void)[] = [];
  const inTurn = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (running >= MAX_AT_ONCE) {
      if (waiting.length >= MAX_WAITING) throw new DomainError("UNAVAILABLE", "too many passwords are being checked");
      // A hash that ends hands its place to the next in line, so that no newcomer slips in between.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
  return {
    hash: (password) => inTurn(() => hash(password.normalize("NFC"), PARAMETERS)),
    check: (password, known) =>
      inTurn(async () => {
        const [today, earlier] = formsOf(password);
        if (await verify(known ?? NOBODY, today)) return known === undefined ? "wrong" : isOfToday(known) ? "right" : "stale";
        // Also without a known hash: a second try for known logins alone would tell them by the time of the answer.
        if (earlier === undefined || !(await verify(known ?? NOBODY, earlier)) || known === undefined) return "wrong";
        return "stale";
      }),
  };
}

// The form that is hashed today, and the form that a hash of an earlier release may have been made of: what was typed, which is what is typed now
// where that is not composed, else most likely the decomposed form. Of a password in ASCII there is one form only.
function formsOf(password: string): readonly [string, string | undefined] {
  const composed = password.normalize("NFC");
  const other = password === composed ? password.normalize("NFD") : password;
  return [composed, other === composed ? undefined : other];
}

function isOfToday(known: string): boolean {
  const { memoryCost, timeCost, parallelism } = parseOptions(known);
  return (
    known.startsWith("$argon2id$") &&
    memoryCost === PARAMETERS.memoryCost &&
    timeCost === PARAMETERS.timeCost &&
    parallelism === PARAMETERS.parallelism
  );
}
