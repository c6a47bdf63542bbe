import { expect, it, vi } from "vitest";
import type { VerifiedToken } from "../../contract/identity.ts";
import { BELIEVED_MS, createRevocations } from "./revocations.ts";

const TOKEN: VerifiedToken = {
  id: "t-1",
  subject: "anna",
  roles: ["user"],
  sessionId: "s-1",
  keyId: "k-1",
  issuedAtMs: 0,
  expiresAtMs: 9e15,
};

function setUp() {
  const state = { nowMs: 0, inPostgres: false, inRedis: false };
  const read = vi.fn(async () => state.inPostgres);
  const hasAny = vi.fn(async (_ids: readonly string[]) => state.inRedis);
  const add = vi.fn(async () => {});
  return { state, read, hasAny, add, revocations: createRevocations({ read, blacklist: { hasAny, add }, now: () => state.nowMs }) };
}

it("Redis is asked for the token and its session with every request, Postgres twice a second", async () => {
  const { state, read, hasAny, revocations } = setUp();
  for (const atMs of [0, 100, BELIEVED_MS - 1]) {
    state.nowMs = atMs;
    expect(await revocations.isRevoked(TOKEN)).toBe(false);
  }
  expect(hasAny.mock.calls).toEqual([[["t-1", "s-1"]], [["t-1", "s-1"]], [["t-1", "s-1"]]]);
  expect(read).toHaveBeenCalledTimes(1);
  state.nowMs = BELIEVED_MS;
  state.inPostgres = true;
  expect(await revocations.isRevoked(TOKEN)).toBe(true);
  expect(read).toHaveBeenCalledTimes(2);
});

it("an answer is believed from when it was asked for, however late it came", async () => {
  const { state, read, revocations } = setUp();
  let answer: (revoked: boolean) => void = () => {};
  read.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
  const asked = revocations.isRevoked(TOKEN);
  state.nowMs = BELIEVED_MS - 10;
  answer(false);
  expect(await asked).toBe(false);
  state.nowMs = BELIEVED_MS;
  state.inPostgres = true;
  expect(await revocations.isRevoked(TOKEN)).toBe(true);
});

it("a mark in Redis refuses also while Postgres is away; without a mark an outage is an outage and nobody passes", async () => {
  const { state, read, revocations } = setUp();
  read.mockImplementation(() => Promise.reject(new Error("away")));
  await expect(revocations.isRevoked(TOKEN)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(revocations.isRevoked(TOKEN)).rejects.toMatchObject({ code: "UNAVAILABLE" });
  state.inRedis = true;
  expect(await revocations.isRevoked(TOKEN)).toBe(true);
});

it("a token that was refused once stays refused without asking anybody", async () => {
  const { state, read, hasAny, revocations } = setUp();
  state.inRedis = true;
  await revocations.isRevoked(TOKEN);
  state.inRedis = false;
  expect(await revocations.isRevoked(TOKEN)).toBe(true);
  expect([read.mock.calls.length, hasAny.mock.calls.length]).toEqual([1, 1]);
});

it("a logout here meets requests that are on their way, and the other tokens of the session", async () => {
  const { revocations, add, hasAny } = setUp();
  let answer: (marked: boolean) => void = () => {};
  hasAny.mockImplementationOnce(() => new Promise((resolve) => (answer = resolve)));
  const onItsWay = revocations.isRevoked(TOKEN);
  await revocations.announce("s-1", 1_000);
  answer(false);
  expect(await onItsWay).toBe(true);
  expect(await revocations.isRevoked({ ...TOKEN, id: "t-2" })).toBe(true);
  expect(add).toHaveBeenCalledWith("s-1", 1_000);
});

it("an external issuer's token of the same id is another token", async () => {
  const { read, revocations } = setUp();
  expect(await revocations.isRevoked(TOKEN)).toBe(false);
  read.mockImplementationOnce(async () => true);
  expect(await revocations.isRevoked({ ...TOKEN, keyId: undefined, sessionId: undefined })).toBe(true);
});
