import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { authorised, CARD, numberOf, startPspBench, step, type PspBench } from "../../../test/support/psp-bench.ts";
import type { TestPsp } from "../../../test/support/psp.ts";
import type { PspOptions } from "./psp-http.ts";

let bench: PspBench;
let provider: TestPsp;
let delays: readonly number[];

beforeEach(async () => {
  bench = await startPspBench();
  ({ provider, delays } = bench);
});

afterEach(() => bench.close());

const connect = (options?: Partial<PspOptions>) => bench.connect(options);
const callsOf = (key: string) => bench.callsOf(key);
const answering = (...statuses: readonly number[]) => bench.answering(...statuses);

describe("an outcome that is not told", () => {
  it.each([
    ["charge-then-hang", ["capture", "look-up"]],
    ["charge-then-500", ["capture", "look-up"]],
    ["stored-500-charged", ["capture", "look-up"]],
    ["unavailable-once", ["capture", "look-up", "capture"]],
  ])("with the card %s is resolved by a look-up and then by the same key: one capture stands", async (name, expected) => {
    const psp = connect();
    const authorisationKey = await authorised(psp, name, numberOf(name));
    expect(await psp.capture({ ...step(`${name}:capture`), authorisationKey })).toMatchObject({ status: "approved" });
    expect(callsOf(`${name}:capture`)).toEqual(expected);
    expect(provider.payments().filter(({ kind }) => kind === "capture")).toHaveLength(1);
  });

  it("that took effect without an answer at the authorisation is found too", async () => {
    const psp = connect();
    const { token } = await psp.tokenise({ ...CARD, number: numberOf("authorise-then-hang") });
    expect(await psp.authorise({ ...step("a1:a"), cardToken: token })).toMatchObject({ status: "approved" });
    expect(callsOf("a1:a")).toEqual(["authorise", "look-up"]);
  });

  it("with a stored 500 waits under the same key until the provider has reconciled it", async () => {
    const psp = connect({ breaker: { failures: 100 } });
    const authorisationKey = await authorised(psp, "s1", numberOf("stored-500-uncharged"));
    const capture = { ...step("s1:capture"), authorisationKey };
    for (let time = 0; time < 3; time += 1) await expect(psp.capture(capture)).rejects.toMatchObject({ code: "PSP_UNAVAILABLE" });
    expect(provider.payments().filter(({ kind }) => kind === "capture")).toEqual([]);
    expect(await provider.reconcile("s1:capture")).toEqual(["s1:capture"]);
    expect(await psp.capture(capture)).toMatchObject({ status: "approved" });
    expect(
      new Set(
        provider
          .book()
          .calls.map(({ key }) => key)
          .filter((key) => key !== ""),
      ),
    ).toEqual(new Set(["s1:authorise", "s1:capture"]));
  });

  it("with the card slow comes within the patience of a call", async () => {
    const psp = connect({ timeoutMs: 2_000 });
    expect(await authorised(psp, "slow1", numberOf("slow"))).toBe("slow1:authorise");
    expect(callsOf("slow1:authorise")).toEqual(["authorise"]);
  });

  it("with the card unavailable is PSP_UNAVAILABLE and nothing stands in the book", async () => {
    const psp = connect();
    await expect(authorised(psp, "u1", numberOf("unavailable"))).rejects.toMatchObject({ code: "PSP_UNAVAILABLE" });
    expect(provider.payments()).toEqual([]);
  });

  it("with 429 waits as long as it was told to: the caller is told so", async () => {
    const psp = connect();
    const { token } = await psp.tokenise({ ...CARD, number: numberOf("rate-limited") });
    const authorise = { ...step("r1:a"), cardToken: token };
    await expect(psp.authorise(authorise)).rejects.toMatchObject({ code: "PSP_UNAVAILABLE", details: { retryAfterMs: "1000" } });
    expect(delays).toEqual([]);
    expect(await psp.authorise(authorise)).toMatchObject({ status: "approved" });
  });

  it("of an answer that is another payment's is a conflict, not an approval", async () => {
    const { url } = await answering(200);
    await expect(connect({ url }).authorise({ ...step("k", 1n), cardToken: "t" })).rejects.toMatchObject({ code: "CONFLICT" });
  });
});

describe("a hundred payments with an answer in three gone wrong", () => {
  it("each have one authorisation, one capture and one refund in the provider's book, and it was told", async () => {
    for (const [seed, kinds] of [
      ["charge-then-hang", "hang"],
      ["charge-then-500", "5xx", "stored-500-charged"],
    ].entries())
      provider.script({ kinds: kinds as ("hang" | "5xx")[], rate: 0.15, seed, steps: ["authorise", "capture", "refund", "look-up"] });
    const psp = connect({ timeoutMs: 300, breaker: { failures: 1_000 } });
    const { token } = await psp.tokenise(CARD);
    // A caller such as a workflow: it asks for the same key again until it is told.
    const untilTold = async <Value>(ask: () => Promise<Value>): Promise<Value> => {
      for (const untilMs = Date.now() + 100_000; Date.now() < untilMs;) {
        const told = await ask().catch((error: { code?: string }) => {
          if (error.code !== "PSP_UNAVAILABLE") throw error;
        });
        if (told !== undefined) return told;
      }
      throw new Error("never told");
    };
    const orders = Array.from({ length: 100 }, (_, place) => `chaos${place}`).values();
    const outcomes: string[] = [];
    const caller = async () => {
      for (const order of orders) {
        const authorise = await untilTold(() => psp.authorise({ ...step(`${order}:a`), cardToken: token }));
        const capture = await untilTold(() => psp.capture({ ...step(`${order}:c`), authorisationKey: `${order}:a` }));
        const refund = await untilTold(() => psp.refund({ ...step(`${order}:r`, 50n), captureKey: `${order}:c` }));
        outcomes.push([authorise.status, capture.status, refund.status].join());
      }
    };
    // So few at once that a slow machine serves one within the time that it has for its answer.
    await Promise.all(Array.from({ length: 16 }, caller));
    expect(outcomes).toHaveLength(100);
    expect(new Set(outcomes)).toEqual(new Set(["approved,approved,approved"]));
    const sums = { authorise: 0n, capture: 0n, refund: 0n, cancel: 0n };
    for (const { kind, amountMinor } of provider.payments()) sums[kind] += BigInt(amountMinor);
    expect(provider.payments()).toHaveLength(300);
    expect(sums).toEqual({ authorise: 1_005_000n, capture: 1_005_000n, refund: 5_000n, cancel: 0n });
    const shown = new Set(provider.book().calls.map(({ behaviour }) => behaviour));
    expect(shown).toEqual(new Set(["approve", "charge-then-hang", "hang", "charge-then-500", "5xx", "stored-500-charged"]));
  });
});
