import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { openRedis } from "../../src/adapters/redis/redis.ts";
import { loadConfig } from "../../src/config.ts";
import { ROLES } from "../../src/contract/identity.ts";
import { keysDirOf, openIdentity, type OpenIdentity } from "./open-identity.ts";

let folder: string;
let opened: OpenIdentity | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "saldo-open-identity-"));
  opened = undefined;
});

afterEach(async () => {
  await opened?.close();
  rmSync(folder, { recursive: true });
});

async function open(settings: Record<string, string>): Promise<OpenIdentity> {
  const config = loadConfig({ DATA_DIR: folder, ...settings }, "/nonexistent");
  opened = await openIdentity({
    config,
    databaseUrl: "postgres://app@127.0.0.1:1/none",
    redis: openRedis({ url: undefined, logger: SILENT_LOG }),
    log: SILENT_LOG,
  });
  return opened;
}

it("a role alone makes its first key, but never in production, where it must be given", async () => {
  await expect(open({ NODE_ENV: "production" })).rejects.toThrow(/no signing key/);
  expect(existsSync(keysDirOf({ DATA_DIR: folder, AUTH_KEYS_DIR: undefined }))).toBe(false);
  expect((await open({})).identity.publishedKeys()).toHaveLength(1);
  expect(keysDirOf({ DATA_DIR: folder, AUTH_KEYS_DIR: "/elsewhere" })).toBe("/elsewhere");
});

it("with AUTH_MODE=off everybody may do everything, and the keys are still published", async () => {
  const { authenticator, identity } = await open({ AUTH_MODE: "off" });
  expect(await authenticator.authenticate(undefined)).toEqual({ subject: "local", roles: ROLES });
  expect(await authenticator.authenticate("Bearer nonsense")).toMatchObject({ subject: "local" });
  expect(identity.publishedKeys()).toHaveLength(1);
});

it("asks for a token unless it was told not to", async () => {
  const { authenticator } = await open({});
  await expect(authenticator.authenticate(undefined)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
});
