import { beforeEach, describe, expect, test } from "vitest";
import { DomainError } from "../../base/errors.ts";
import type { GateState, KnownGate } from "../../domain/balances/cache-gate.ts";
import { gateTimes } from "../../domain/balances/cache-gate.ts";
import type { Operation } from "../../domain/ledger/operations.ts";
import { depositOperation, purchaseOperation, transferOperation } from "../../domain/ledger/wallet-operations.ts";
import type { Ledger, PostResult } from "../ledger/ledger.ts";
import type { BalanceMarks, MarkOutcome } from "./balance-marks.ts";
import type { CacheGate } from "./cache-gate.ts";
import { markedLedger } from "./marked-ledger.ts";

const common = { currency: "RUB", amountMinor: 1n, comment: "", origin: { caller: "t", correlationId: "t" } };
const deposit = (userId: string) => depositOperation({ ...common, key: userId, userId });
const transfer = transferOperation({ ...common, key: "t", userId: "ann", peerUserId: "ben" });
const byCard = purchaseOperation({ ...common, key: "p", userId: "ann", paymentMethod: "card", occurredAt: "2026-01-01T00:00:00Z" });

let steps: string[];
let marked: MarkOutcome[];
let state: GateState;
let lateMs: number;
let post: () => Promise<PostResult>;
beforeEach(() => {
  steps = [];
  marked = [];
  state = "open";
  lateMs = 0;
  post = async () => ({ outcome: "done", operationId: "1", duplicate: false, recordedAt: new Date(0) });
});

const known = (): KnownGate => ({ epoch: 1, state, reign: "r", askedAtMs: 0, closedSinceMs: state === "closed" ? 0 : undefined });
const gate = {
  decide: async () => {
    steps.push("decide");
    return { act: state === "closed" ? "go" : "mark", known: known() };
  },
  close: async () => {
    steps.push("close");
    state = "closed";
    return known();
  },
} as unknown as CacheGate;
const marks = {
  mark: async (_epoch, _mark, users) => {
    steps.push(`mark ${users.join(" ")}`);
    return marked.shift() ?? "done";
  },
  settle: async (_epoch, _mark, users) => {
    steps.push(`settle ${users.join(" ")}`);
    return marked.shift() ?? "done";
  },
} as Partial<BalanceMarks> as BalanceMarks;
const inner = {
  post: async () => {
    steps.push("post");
    return post();
  },
  postAll: async (operations: readonly Operation[]) => {
    steps.push("post");
    return Promise.all(operations.map(post));
  },
} as Partial<Ledger> as Ledger;
const ledger = markedLedger(inner, {
  gate,
  marks,
  times: gateTimes(1_000),
  clock: { nowMs: () => lateMs, sleep: async () => {} },
  newMark: () => "m",
});

describe("a ledger that marks", () => {
  test("marks every wallet that its operations touch, in one command before the statement, and settles before it answers", async () => {
    await ledger.postAll([deposit("cid"), transfer, deposit("ann")]);
    expect(steps).toEqual(["decide", "mark cid ann ben", "post", "settle cid ann ben"]);
  });

  test("asks nobody for what touches no wallet", async () => {
    await ledger.post(byCard);
    expect(steps).toEqual(["post"]);
  });

  test("posts nothing before the gate is closed when the mark is refused or not answered", async () => {
    for (const outcome of ["ended", "unknown"] as const) {
      steps = [];
      state = "open";
      marked = [outcome];
      await ledger.post(deposit("ann"));
      expect(steps).toEqual(["decide", "mark ann", "close", "decide", "post"]);
    }
  });

  test("leaves its mark when the outcome of the statement is not known", async () => {
    post = () => Promise.reject(new DomainError("UNAVAILABLE"));
    await expect(ledger.post(deposit("ann"))).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(steps).toEqual(["decide", "mark ann", "post"]);
  });

  test("closes the gate before it answers when the mark may not have been settled", async () => {
    marked = ["done", "unknown"];
    await ledger.post(deposit("ann"));
    expect(steps).toEqual(["decide", "mark ann", "post", "settle ann", "close", "decide"]);
  });

  test("drops the balances once more after a commit so late that another epoch may be open", async () => {
    state = "closed";
    post = async () => {
      lateMs = 60_000;
      state = "open";
      return { outcome: "done", operationId: "1", duplicate: false, recordedAt: new Date(0) };
    };
    await ledger.post(deposit("ann"));
    expect(steps).toEqual(["decide", "post", "decide", "settle ann"]);
  });
});
