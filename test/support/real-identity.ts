import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SILENT_LOG, type Log } from "../../src/adapters/log.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { ensureSigningKey } from "../../src/adapters/tokens/signing-keys.ts";
import { mintToken } from "../../src/cli/kit/operator-token.ts";
import { loadConfig } from "../../src/config.ts";
import type { Role } from "../../src/contract/identity.ts";
import { openIdentity, type OpenIdentity } from "../../workers/parts/open-identity.ts";

/** A folder of keys, and as many identities over it as a test wants. Each identity is that of one API process. */
export interface RealIdentities {
  readonly keysDir: string;
  open(options: {
    readonly databaseUrl: string;
    readonly redisUrl?: string;
    readonly settings?: Readonly<Record<string, string>>;
    readonly log?: Log;
  }): Promise<OpenIdentity>;
  /** The authorization header with a token as `npm run token` signs it. */
  bearer(subject: string, roles: readonly Role[], ttlMs?: number): Promise<{ authorization: string }>;
  close(): Promise<void>;
}

/** Real keys in a folder of their own. */
export async function createRealIdentities(): Promise<RealIdentities> {
  const keysDir = mkdtempSync(join(tmpdir(), "saldo-identity-"));
  await ensureSigningKey(keysDir);
  const closing: (() => Promise<void>)[] = [];
  const config = (settings: Readonly<Record<string, string>> = {}) => loadConfig({ AUTH_KEYS_DIR: keysDir, ...settings }, "/nonexistent");
  return {
    keysDir,
    async open({ databaseUrl, redisUrl, settings, log = SILENT_LOG }) {
      const redis = openRedis({ url: redisUrl, logger: SILENT_LOG });
      const opened = await openIdentity({ config: config(settings), databaseUrl, redis, log });
      closing.push(opened.close, async () => redis.close());
      return opened;
    },
    async bearer(subject, roles, ttlMs = 900_000) {
      return { authorization: `Bearer ${(await mintToken(config(), { subject, roles, ttlMs }, keysDir)).token}` };
    },
    async close() {
      await Promise.all(closing.map((close) => close()));
      rmSync(keysDir, { recursive: true, force: true });
    },
  };
}
