import { isLoopbackAddress } from "../base/loopback.ts";

interface AuthVariables {
  readonly NODE_ENV: "development" | "test" | "production";
  readonly HTTP_HOST: string;
  readonly ALLOW_INSECURE_BIND: "no" | "container";
  readonly AUTH_MODE: "required" | "off";
  readonly AUTH_ISSUER: string;
  readonly AUTH_JWKS_URL?: string | undefined;
  readonly AUTH_EXTERNAL_ISSUER?: string | undefined;
  readonly AUTH_EXTERNAL_AUDIENCE?: string | undefined;
}

/** What is wrong with the settings of who may ask, by variable; never a value. */
export function* authProblems(env: AuthVariables): Generator<readonly [keyof AuthVariables, string]> {
  // A production refuses `off` on any address (production-problems.ts), and would be told of one mistake twice.
  const isOpen = env.AUTH_MODE === "off" && env.NODE_ENV !== "production";
  if (isOpen && !isLoopbackAddress(env.HTTP_HOST) && env.ALLOW_INSECURE_BIND !== "container")
    yield ["HTTP_HOST", "must be a loopback address with AUTH_MODE=off"];
  const external = ["AUTH_JWKS_URL", "AUTH_EXTERNAL_ISSUER", "AUTH_EXTERNAL_AUDIENCE"] as const;
  if (external.some((name) => env[name] !== undefined))
    for (const name of external)
      if (env[name] === undefined) yield [name, `is needed with ${external.filter((other) => other !== name).join(" and ")}`];
  if (env.AUTH_EXTERNAL_ISSUER === env.AUTH_ISSUER) yield ["AUTH_EXTERNAL_ISSUER", "must not be Saldo's own AUTH_ISSUER"];
  // A key list that came over an open line would let whoever sits on it make tokens.
  const url = env.AUTH_JWKS_URL === undefined ? undefined : new URL(env.AUTH_JWKS_URL);
  if (url !== undefined && url.protocol !== "https:" && !isLoopbackAddress(url.hostname))
    yield ["AUTH_JWKS_URL", "must be https, unless it is a loopback address"];
}
