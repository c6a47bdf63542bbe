import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { until } from "../../../test/support/until.ts";
import { SILENT_LOG } from "../log.ts";
import { KeyFolderError } from "./key-files.ts";
import {
  ensureSigningKey,
  JWKS_MAX_AGE_MS,
  listSigningKeys,
  MAX_TOKEN_TTL_MS,
  openSigningKeys,
  retireSigningKeys,
  rotateSigningKey,
  type SigningKeys,
} from "./signing-keys.ts";

let parent: string;
let directory: string;
let opened: SigningKeys | undefined;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "saldo-keys-"));
  directory = join(parent, "keys");
  opened = undefined;
});

afterEach(async () => {
  await opened?.close();
  rmSync(parent, { recursive: true, force: true });
});

async function open(now: () => number = Date.now): Promise<SigningKeys> {
  opened = await openSigningKeys({ directory, log: SILENT_LOG, now });
  return opened;
}

describe("the folder of signing keys", () => {
  it("gets one key, also from eight who make it at once, and only the owner may read it", async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => ensureSigningKey(directory)));
    expect(made.filter((one) => one.made)).toHaveLength(1);
    expect(readdirSync(directory)).toEqual(["key-0001.json"]);
    expect(statSync(join(directory, "key-0001.json")).mode & 0o777).toBe(0o400);
    expect(statSync(directory).mode & 0o077).toBe(0);
    const before = readFileSync(join(directory, "key-0001.json"), "utf8");
    expect(await ensureSigningKey(directory)).toEqual({ made: false });
    expect(readFileSync(join(directory, "key-0001.json"), "utf8")).toBe(before);
  });

  it("publishes RSA keys of 3072 bits without any private part", async () => {
    await ensureSigningKey(directory);
    const [key] = (await open()).published();
    expect(Object.keys(key ?? {}).sort()).toEqual(["alg", "e", "kid", "kty", "n", "use"]);
    expect(Buffer.from(key?.n ?? "", "base64url")).toHaveLength(384);
  });

  it("is refused when it has no key, or one that others may read", async () => {
    await expect(open()).rejects.toThrow(KeyFolderError);
    await ensureSigningKey(directory);
    chmodSync(join(directory, "key-0001.json"), 0o440);
    await expect(open()).rejects.toThrow(/chmod 0400/);
  });
});

describe("a rotation", () => {
  it("publishes the next key at once, signs with it when no older list can be left, and keeps the old one while its tokens live", async () => {
    let nowMs = Date.now();
    const now = () => nowMs;
    await ensureSigningKey(directory, now);
    const keys = await open(now);
    const first = keys.current().kid;
    const { kid: second, signsFromMs } = await rotateSigningKey(directory, { now });
    expect(signsFromMs - nowMs).toBeGreaterThan(JWKS_MAX_AGE_MS);
    await keys.reread();
    expect(keys.published().map(({ kid }) => kid)).toEqual([first, second]);
    expect(keys.current().kid).toBe(first);

    nowMs = signsFromMs - 1;
    expect(keys.current().kid).toBe(first);
    nowMs = signsFromMs;
    expect(keys.current().kid).toBe(second);
    expect(keys.find(first)?.kid).toBe(first);

    nowMs = signsFromMs + MAX_TOKEN_TTL_MS;
    expect(await retireSigningKeys(directory, { now })).toEqual([]);
    nowMs += 120_000;
    expect(await retireSigningKeys(directory, { now })).toEqual([first]);
    await keys.reread();
    expect(keys.published().map(({ kid }) => kid)).toEqual([second]);
    expect(keys.find(first)).toBeUndefined();
  });

  it("does not pile up: a second one waits for the first to sign, but an urgent one does not", async () => {
    await ensureSigningKey(directory);
    await rotateSigningKey(directory);
    await expect(rotateSigningKey(directory)).rejects.toThrow(/waits already/);
    const urgent = await rotateSigningKey(directory, { soon: true });
    expect(urgent.signsFromMs - Date.now()).toBeLessThan(15_000);
  });

  it("never takes away the key that signs; one that became known to others goes at once after an urgent rotation", async () => {
    let nowMs = Date.now();
    const now = () => nowMs;
    await ensureSigningKey(directory, now);
    const [leaked] = await listSigningKeys(directory, now);
    await expect(retireSigningKeys(directory, { kid: leaked?.kid ?? "", now })).rejects.toThrow(/signs now/);
    const { kid, signsFromMs } = await rotateSigningKey(directory, { soon: true, now });
    nowMs = signsFromMs;
    expect(await retireSigningKeys(directory, { kid: leaked?.kid ?? "", now })).toEqual([leaked?.kid]);
    expect((await listSigningKeys(directory, now)).map((key) => key.kid)).toEqual([kid]);
    await expect(retireSigningKeys(directory, { kid: "nobody's" })).rejects.toThrow(/no key/);
  });

  it("that leaves an unreadable folder changes nothing in a running process", async () => {
    await ensureSigningKey(directory);
    const keys = await open();
    const { kid } = keys.current();
    rmSync(directory, { recursive: true });
    await keys.reread();
    expect(keys.current().kid).toBe(kid);
  });

  it("is known to a running process by itself", async () => {
    await ensureSigningKey(directory);
    opened = await openSigningKeys({ directory, log: SILENT_LOG, rereadMs: 20 });
    await rotateSigningKey(directory);
    await until("the second key is known", () => opened?.published().length === 2);
  });
});
