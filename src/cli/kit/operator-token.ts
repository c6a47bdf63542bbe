import { resolve } from "node:path";
import { keysDirOf } from "../../../workers/parts/open-identity.ts";
import { SILENT_LOG } from "../../adapters/log.ts";
import { issueToken, type IssuedToken } from "../../adapters/tokens/access-tokens.ts";
import { KeyFolderError } from "../../adapters/tokens/key-files.ts";
import { openSigningKeys } from "../../adapters/tokens/signing-keys.ts";
import { isLoopbackHost } from "../../base/loopback.ts";
import type { Config } from "../../config.ts";
import type { Role } from "../../contract/identity.ts";
import { readRunning } from "../../stack/running.ts";

/** Returns a token that is valid for some minutes more, or undefined when there is none. */
export type TokenSource = () => Promise<string | undefined>;

type AuthConfig = Pick<Config, "AUTH_KEYS_DIR" | "DATA_DIR" | "AUTH_ISSUER" | "AUTH_AUDIENCE">;

const TTL_MS = 900_000;
const RENEW_BEFORE_END_MS = 300_000;

/** The folder of the keys: that of the system running from the data folder, else the configured one. */
export function findKeysDir(config: Pick<Config, "AUTH_KEYS_DIR" | "DATA_DIR">): string {
  return readRunning(resolve(config.DATA_DIR))?.keysDir ?? keysDirOf(config);
}

/** Signs a token with the keys of this machine. No right is asked for: whoever may read the keys can sign any token. Throws: KeyFolderError. */
export async function mintToken(
  config: AuthConfig,
  claims: { readonly subject: string; readonly roles: readonly Role[]; readonly ttlMs: number },
  keysDir: string = findKeysDir(config),
): Promise<IssuedToken> {
  const keys = await openSigningKeys({ directory: keysDir, log: SILENT_LOG });
  try {
    return await issueToken(keys, { issuer: config.AUTH_ISSUER, audience: config.AUTH_AUDIENCE }, claims);
  } finally {
    await keys.close();
  }
}

/**
 * The tokens a command calls the API with: SALDO_TOKEN, or short-lived tokens that it signs itself, renewed while it runs. For an API on
 * another machine it signs none: an operator's token must not be sent to an arbitrary address.
 */
export function createTokenSource(
  config: AuthConfig & Pick<Config, "SALDO_TOKEN">,
  options: { readonly baseUrl: string; readonly subject: string; readonly roles: readonly Role[] },
): TokenSource {
  const { baseUrl, subject, roles } = options;
  const isOurs = isLoopbackHost(new URL(baseUrl).host) || readRunning(resolve(config.DATA_DIR))?.apiUrl === baseUrl;
  let current: Promise<IssuedToken | undefined> | undefined;
  let renewAtMs = 0;
  return async () => {
    if (config.SALDO_TOKEN !== undefined) return config.SALDO_TOKEN;
    if (!isOurs) return undefined;
    if (current === undefined || Date.now() >= renewAtMs) {
      renewAtMs = Date.now() + TTL_MS - RENEW_BEFORE_END_MS;
      current = mintToken(config, { subject, roles, ttlMs: TTL_MS }).catch((error: unknown) => {
        // There are no keys to sign with, and the API may run with AUTH_MODE=off. If it wants a token, its 401 says so.
        if (error instanceof KeyFolderError) return undefined;
        throw error;
      });
    }
    return (await current)?.token;
  };
}
