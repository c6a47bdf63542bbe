import { expect, it, vi } from "vitest";
import { hashApiSecret, makeApiKeyId, makeApiSecret } from "../../domain/identity/api-key.ts";
import type { LiveApiKey } from "../../store/identity/api-keys.ts";
import { createApiKeyCheck } from "./api-key-check.ts";
import { BELIEVED_MS } from "./revocations.ts";

function setUp() {
  const keyId = makeApiKeyId();
  const secret = makeApiSecret(keyId);
  const live: LiveApiKey = {
    keyId,
    subject: "shop",
    scopes: ["ledger:read"],
    expiresAtMs: 1e12,
    secrets: [{ hash: hashApiSecret(secret), generation: 3, untilMs: undefined }],
  };
  const state: { nowMs: number; key: LiveApiKey | undefined } = { nowMs: 0, key: live };
  const read = vi.fn(async (_keyId: string) => state.key);
  const noteUse = vi.fn(async (_keyId: string) => {});
  return { state, live, read, noteUse, parts: { keyId, secret }, check: createApiKeyCheck({ read, noteUse, now: () => state.nowMs }) };
}

it("a good key is asked for twice a second at most, and believed from when it was asked for", async () => {
  const { state, read, parts, check } = setUp();
  expect(check.recall(parts)).toBeUndefined();
  for (const atMs of [0, 100, BELIEVED_MS - 1]) {
    state.nowMs = atMs;
    expect(await check.verify(parts)).toMatchObject({ subject: "shop", generation: 3 });
  }
  expect(read).toHaveBeenCalledTimes(1);
  let answer: (key: LiveApiKey | undefined) => void = () => {};
  state.nowMs = 1_000;
  read.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
  const slow = check.verify(parts);
  state.nowMs = 1_000 + BELIEVED_MS;
  answer(state.key);
  await slow;
  state.key = undefined;
  expect(await check.verify(parts)).toBeUndefined();
});

it("a bad secret is not remembered and is refused each time it is asked for", async () => {
  const { read, parts, check } = setUp();
  const bad = { ...parts, secret: makeApiSecret(parts.keyId) };
  for (let time = 0; time < 3; time += 1) expect(await check.verify(bad)).toBeUndefined();
  expect(read).toHaveBeenCalledTimes(3);
  expect(check.recall(bad)).toBeUndefined();
});

it("while Postgres is away nobody passes who is not believed, and the next question asks anew", async () => {
  const { state, read, parts, check } = setUp();
  await check.verify(parts);
  read.mockImplementation(() => Promise.reject(new Error("away")));
  state.nowMs = BELIEVED_MS;
  await expect(check.verify(parts)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(check.verify(parts)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  read.mockImplementation(async () => state.key);
  expect(await check.verify(parts)).toBeDefined();
});

it("a key that was changed here is asked for anew, also by who asks while an older answer is on its way", async () => {
  const { state, read, parts, check } = setUp();
  await check.verify(parts);
  check.forget(parts.keyId);
  expect(check.recall(parts)).toBeUndefined();
  let answer: (key: LiveApiKey | undefined) => void = () => {};
  read.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
  const onItsWay = check.verify(parts);
  const old = state.key;
  state.key = undefined;
  check.forget(parts.keyId);
  expect(await check.verify(parts)).toBeUndefined();
  answer(old);
  await onItsWay;
  expect(await check.verify(parts)).toBeUndefined();
  expect(check.recall(parts)).toBeUndefined();
});

it("a secret whose overlap ends is refused at its end, however lately it was asked for", async () => {
  const { state, live, parts, check } = setUp();
  state.key = { ...live, secrets: live.secrets.map(({ hash, generation }) => ({ hash, generation, untilMs: 200 })) };
  expect(await check.verify(parts)).toMatchObject({ endsAtMs: 200 });
  state.nowMs = 200;
  expect(check.recall(parts)).toBeUndefined();
  expect(await check.verify(parts)).toBeUndefined();
});

it("a use is noted once a minute, and again by the next use when it could not be", async () => {
  const { state, noteUse, check } = setUp();
  noteUse.mockImplementationOnce(() => Promise.reject(new Error("away")));
  check.used("k");
  await vi.waitFor(() => expect(noteUse).toHaveBeenCalledTimes(1));
  await new Promise((resolve) => setImmediate(resolve));
  for (let time = 0; time < 5; time += 1) check.used("k");
  expect(noteUse).toHaveBeenCalledTimes(2);
  state.nowMs = 60_000;
  check.used("k");
  expect(noteUse).toHaveBeenCalledTimes(3);
});
