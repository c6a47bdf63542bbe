import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startPspSimulator, type TestPsp } from "../../../test/support/psp.ts";
import { TEST_CARDS } from "../../psp-simulator/test-cards.ts";
import { SILENT_LOG, type Log } from "../log.ts";
import { createPsp, type HttpPsp, type PspOptions } from "./psp-http.ts";
import type { CardDetails } from "./psp.ts";

const CARD: CardDetails = { number: "4242424242424242", expiry: "12/39", cvc: "987", holderName: "Ada Lovelace" };

let provider: TestPsp;
let delays: number[];
let servers: Server[];

beforeEach(async () => {
  provider = await startPspSimulator();
  delays = [];
  servers = [];
});

afterEach(async () => {
  vi.useRealTimers();
  await provider.stop();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

/** Waits pass at once and are noted, with no jitter unless said. */
function connect(options: Partial<PspOptions> = {}): HttpPsp {
  return createPsp({
    url: provider.url,
    apiKey: provider.apiKey,
    timeoutMs: 250,
    logger: SILENT_LOG,
    random: () => 0.5,
    sleep: async (ms) => void delays.push(ms),
    ...options,
  });
}

const step = (key: string, amountMinor = 10_050n) => ({ key, orderId: key.split(":")[0] ?? key, amountMinor, currency: "RUB" });
const callsOf = (key: string) =>
  provider
    .book()
    .calls.filter((call) => call.key === key)
    .map((call) => call.step);
const numberOf = (name: string) => TEST_CARDS.find((card) => card.name === name)?.number ?? "";

async function authorised(psp: HttpPsp, orderId: string, number = CARD.number): Promise<string> {
  const { token } = await psp.tokenise({ ...CARD, number });
  await psp.authorise({ ...step(`${orderId}:authorise`), cardToken: token });
  return `${orderId}:authorise`;
}

/** A server that answers each request with the next status, the last one for ever, and counts. */
async function answering(
  ...statuses: readonly (number | "hang")[]
): Promise<{ url: string; count: () => number; now: (...next: readonly number[]) => void }> {
  let left = [...statuses];
  let count = 0;
  const server = createServer((_request, response) => {
    count += 1;
    const status = left.length > 1 ? left.shift() : left[0];
    if (status === "hang" || status === undefined) return;
    const payment = {
      key: "k",
      kind: "authorise",
      status: "approved",
      reference: "r",
      orderId: "o",
      amountMinor: "10050",
      currency: "RUB",
    };
    response.writeHead(status, { "content-type": "application/json", ...(status === 302 ? { location: "/elsewhere" } : {}) });
    response.end(
      JSON.stringify(status === 200 ? payment : { error: { code: status === 404 ? "not_found" : "unavailable", message: "x" } }),
    );
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => count,
    now: (...next) => {
      left = [...next];
    },
  };
}

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
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, async (_, place) => {
        const order = `chaos${place}`;
        const authorise = await untilTold(() => psp.authorise({ ...step(`${order}:a`), cardToken: token }));
        const capture = await untilTold(() => psp.capture({ ...step(`${order}:c`), authorisationKey: `${order}:a` }));
        const refund = await untilTold(() => psp.refund({ ...step(`${order}:r`, 50n), captureKey: `${order}:c` }));
        return [authorise.status, capture.status, refund.status].join();
      }),
    );
    expect(new Set(outcomes)).toEqual(new Set(["approved,approved,approved"]));
    const sums = { authorise: 0n, capture: 0n, refund: 0n, cancel: 0n };
    for (const { kind, amountMinor } of provider.payments()) sums[kind] += BigInt(amountMinor);
    expect(provider.payments()).toHaveLength(300);
    expect(sums).toEqual({ authorise: 1_005_000n, capture: 1_005_000n, refund: 5_000n, cancel: 0n });
    const shown = new Set(provider.book().calls.map(({ behaviour }) => behaviour));
    expect(shown).toEqual(new Set(["approve", "charge-then-hang", "hang", "charge-then-500", "5xx", "stored-500-charged"]));
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

describe("the breaker", () => {
  const call = (psp: HttpPsp, key = "b1:a") =>
    psp.authorise({ ...step(key), cardToken: "t" }).then(
      () => "approved",
      (error: unknown) => error as { code: string; details: { retryAfterMs?: string } },
    );

  it("opens at the fifth failure in a row and then sends nothing for thirty seconds", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const states: string[] = [];
    const { url, count } = await answering(503);
    const psp = connect({ url, onBreakerState: (state) => states.push(state) });
    await call(psp);
    expect([count(), psp.breakerState()]).toEqual([4, "closed"]);
    await call(psp);
    expect([count(), psp.breakerState()]).toEqual([5, "open"]);
    expect(await call(psp)).toMatchObject({ code: "PSP_UNAVAILABLE", details: { retryAfterMs: "30000" } });
    vi.setSystemTime(Date.now() + 29_999);
    expect(await call(psp)).toMatchObject({ details: { retryAfterMs: "1" } });
    expect([count(), states]).toEqual([5, ["open"]]);
  });

  it("does not open at four failures and a success", async () => {
    const { url, now } = await answering(503);
    const psp = connect({ url });
    await call(psp, "k");
    now(200);
    expect(await call(psp, "k")).toBe("approved");
    now(503);
    await call(psp, "k");
    expect(psp.breakerState()).toBe("closed");
  });

  it("lets one probe through after thirty seconds, however many ask; a good answer closes it", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { url, count, now } = await answering(503);
    const psp = connect({ url });
    await call(psp);
    await call(psp);
    vi.setSystemTime(Date.now() + 30_000);
    now(200);
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(psp, "k")));
    expect(answers.filter((answer) => answer === "approved")).toHaveLength(1);
    expect([count(), psp.breakerState()]).toEqual([6, "closed"]);
    expect(await call(psp, "k")).toBe("approved");
  });

  it("stays open for thirty seconds more when the probe fails: one request, no retries", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { url, count } = await answering(503);
    const psp = connect({ url });
    await call(psp);
    await call(psp);
    vi.setSystemTime(Date.now() + 30_000);
    await Promise.all(Array.from({ length: 20 }, () => call(psp)));
    expect([count(), psp.breakerState()]).toEqual([6, "open"]);
    expect(await call(psp)).toMatchObject({ details: { retryAfterMs: "30000" } });
  });

  it("keeps a storm of 500 callers through a minute of 5xx to those that were out when it opened and one probe each half minute", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    provider.script({ kinds: ["5xx"], steps: ["authorise", "capture", "cancel", "refund", "look-up", "tokenise"] });
    const psp = connect({ timeoutMs: 5_000 });
    for (let second = 0; second < 60; second += 1) {
      await Promise.all(Array.from({ length: second === 0 ? 500 : 50 }, (_, caller) => call(psp, `storm${caller}:a`)));
      vi.setSystemTime(Date.now() + 1_000);
    }
    expect(provider.book().calls.length).toBeLessThanOrEqual(64 + 4 + 2);
    expect(provider.book().calls.length).toBeGreaterThan(5);
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
