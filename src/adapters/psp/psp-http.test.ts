import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { authorised, CARD, numberOf, startPspBench, step, type PspBench } from "../../../test/support/psp-bench.ts";
import type { TestPsp } from "../../../test/support/psp.ts";
import type { Log } from "../log.ts";
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

describe("a card payment", () => {
  it("goes from card to token to authorisation to capture to refund, each done once however often it is asked", async () => {
    const psp = connect();
    const token = await psp.tokenise(CARD);
    expect(token).toMatchObject({ last4: "4242", brand: "visa" });
    expect(await psp.tokenise(CARD)).toEqual(token);
    const authorise = { ...step("o1:authorise"), cardToken: token.token };
    const capture = { ...step("o1:capture"), authorisationKey: "o1:authorise" };
    const refund = { ...step("o1:refund", 50n), captureKey: "o1:capture" };
    for (let time = 0; time < 2; time += 1) {
      expect(await psp.authorise(authorise)).toMatchObject({ status: "approved" });
      expect(await psp.capture(capture)).toMatchObject({ status: "approved" });
      expect(await psp.refund(refund)).toMatchObject({ status: "approved" });
    }
    expect(provider.payments().map(({ kind, amountMinor, status }) => `${kind} ${amountMinor} ${status}`)).toEqual([
      "authorise 10050 approved",
      "capture 10050 approved",
      "refund 50 approved",
    ]);
    expect(await psp.lookUp("o1:capture")).toMatchObject({ status: "approved", kind: "capture", amountMinor: 10_050n });
    expect(await psp.lookUp("o1:never")).toBeUndefined();
  });

  it("whose key was used with other content is a conflict, and nothing is tried again", async () => {
    const psp = connect();
    const authorisationKey = await authorised(psp, "o2");
    await psp.capture({ ...step("o2:capture"), authorisationKey });
    await expect(psp.capture({ ...step("o2:capture", 1n), authorisationKey })).rejects.toMatchObject({ code: "CONFLICT" });
    expect(callsOf("o2:capture")).toEqual(["capture", "capture"]);
  });

  it("that is cancelled before its authorisation arrives is declined when it does", async () => {
    const psp = connect();
    const { token } = await psp.tokenise(CARD);
    expect(await psp.cancel({ ...step("o3:cancel"), authorisationKey: "o3:authorise" })).toMatchObject({ status: "approved" });
    expect(await psp.authorise({ ...step("o3:authorise"), cardToken: token })).toEqual({
      status: "declined",
      reason: "authorisation_cancelled",
    });
  });

  it.each([
    ["declined", "card_declined"],
    ["insufficient-funds", "insufficient_funds"],
  ])("with the card %s is a definite no at the first call, and no failure", async (name, reason) => {
    const states: string[] = [];
    const psp = connect({ onBreakerState: (state) => states.push(state) });
    const { token } = await psp.tokenise({ ...CARD, number: numberOf(name) });
    for (let order = 0; order < 8; order += 1)
      expect(await psp.authorise({ ...step(`${name}${order}:a`), cardToken: token })).toEqual({ status: "declined", reason });
    expect(provider.book().calls.filter((call) => call.step === "authorise")).toHaveLength(8);
    expect(states).toEqual([]);
    expect(delays).toEqual([]);
  });

  it("with a card the provider does not take is INVALID_CARD, with the place and without the number", async () => {
    const number = "4242424242424241";
    const error = await connect()
      .tokenise({ ...CARD, number })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "INVALID_CARD", details: { pointer: "/card/number" } });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(number);
  });
});

describe("attempts", () => {
  it("are four for one call, after 100, 200 and 400 ms, and the key is looked up before each further one", async () => {
    provider.script({ kinds: ["5xx"] });
    await expect(connect().authorise({ ...step("t1:a"), cardToken: "t" })).rejects.toMatchObject({ code: "PSP_UNAVAILABLE" });
    expect(callsOf("t1:a")).toEqual(["authorise", "look-up", "authorise", "look-up", "authorise", "look-up", "authorise"]);
    expect(delays).toEqual([100, 200, 400]);
  });

  it("wait ten percent more or less", async () => {
    provider.script({ kinds: ["5xx"] });
    for (const random of [() => 0, () => 0.999_999])
      await connect({ random })
        .authorise({ ...step("t2:a"), cardToken: "t" })
        .catch(() => {});
    expect(delays.slice(0, 3)).toEqual([90, 180, 360]);
    for (const [place, least] of [109.9, 219.9, 439.9].entries()) {
      expect(delays[3 + place]).toBeGreaterThan(least);
      expect(delays[3 + place]).toBeLessThan((least + 0.1) * 1.001);
    }
  });

  it("end with the third when that one is answered", async () => {
    provider.script({ kinds: ["5xx"], timesPerKey: 2 });
    const psp = connect();
    const { token } = await psp.tokenise(CARD);
    expect(await psp.authorise({ ...step("t3:a"), cardToken: token })).toMatchObject({ status: "approved" });
    expect(callsOf("t3:a").filter((name) => name === "authorise")).toHaveLength(3);
  });

  it("are one where the API key is wrong or something else answers at the address", async () => {
    await expect(connect({ apiKey: "wrong" }).lookUp("x")).rejects.toMatchObject({ code: "PSP_UNAVAILABLE" });
    const elsewhere = await answering(302);
    await expect(connect({ url: elsewhere.url }).authorise({ ...step("t4:a"), cardToken: "t" })).rejects.toMatchObject({
      code: "PSP_UNAVAILABLE",
    });
    expect(elsewhere.count()).toBe(1);
    expect(provider.book().calls).toEqual([]);
    expect(delays).toEqual([]);
  });
});

describe("a card's number", () => {
  it("stands in no error and no log line, whatever goes wrong", async () => {
    const lines: string[] = [];
    const write = (fields: object, message: string) => void lines.push(JSON.stringify(fields) + message);
    const logger: Log = { debug: write, info: write, warn: write, error: write };
    const { url } = await answering(503, 302, 401, 200);
    const errors: unknown[] = [];
    for (const options of [{ url }, { url }, { url: "http://127.0.0.1:9" }, { apiKey: "wrong" }])
      await connect({ ...options, logger })
        .tokenise(CARD)
        .catch((error: unknown) => errors.push(error));
    const text = lines.join() + errors.map((error) => JSON.stringify(error, Object.getOwnPropertyNames(error))).join();
    expect(errors).toHaveLength(4);
    expect(lines.length).toBeGreaterThan(3);
    for (const secret of [CARD.number, CARD.cvc, "Lovelace", provider.apiKey]) expect(text).not.toContain(secret);
  });
});
