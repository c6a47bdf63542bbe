import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  connectStripe,
  createReferences,
  openLocalstripe,
  openStripeLine,
  openStripeMock,
  type StripeDouble,
  type StripeLine,
} from "../../../../test/support/stripe-bench.ts";
import { paymentKey, refundKey } from "../../../contract/ids.ts";
import type { HttpPsp } from "../psp-http.ts";

const VISA = { number: "4242424242424242", expiry: "12/39", cvc: "123" };
const CREATE = "POST /v1/payment_intents";
const CONFIRM = "POST /v1/payment_intents/{id}/confirm";
const CAPTURE = "POST /v1/payment_intents/{id}/capture";
const CANCEL = "POST /v1/payment_intents/{id}/cancel";
const REFUND = "POST /v1/refunds";

const mock = await openStripeMock();
const book = await openLocalstripe();
afterAll(async () => {
  await mock?.stop();
  await book?.stop();
});

/** The steps of one order. */
function stepsOf(psp: HttpPsp, orderId: string, amountMinor = 10_000n) {
  const common = { orderId, amountMinor, currency: "EUR" };
  const authorisationKey = paymentKey(orderId, "authorise");
  return {
    authorise: (cardToken: string) => psp.authorise({ ...common, key: authorisationKey, cardToken }),
    capture: () => psp.capture({ ...common, key: paymentKey(orderId, "capture"), authorisationKey }),
    cancel: () => psp.cancel({ ...common, key: paymentKey(orderId, "cancel"), authorisationKey }),
    refund: (refundId: string, part: bigint) =>
      psp.refund({ ...common, amountMinor: part, key: refundKey(orderId, refundId), captureKey: paymentKey(orderId, "capture") }),
  };
}

describe.skipIf(mock === undefined)("by the published description of Stripe's API (stripe-mock)", () => {
  it("each call has the form that Stripe takes, with a key of its own and the pinned version", async () => {
    const line = await openStripeLine((mock as StripeDouble).url);
    const references = createReferences();
    const psp = connectStripe(line.url, { references });
    // Its answers are examples, which fit no order: only the form of the requests is seen.
    const seen = async (call: Promise<unknown>) => call.catch((error: { code?: string }) => error.code);
    await seen(psp.tokenise(VISA));
    await seen(psp.keepToken("tok_visa"));
    await seen(psp.keepToken("pm_1PgafmB7WZ01zgkW6dKueIc5"));
    references.kept.set("o2", "pi_1PgafyB7WZ01zgkWSjxsAJo3");
    await seen(stepsOf(psp, "o1").authorise("pm_card_visa"));
    for (const call of [stepsOf(psp, "o2").authorise("pm_card_visa"), stepsOf(psp, "o2").capture(), stepsOf(psp, "o2").cancel()])
      await seen(call);
    await seen(stepsOf(psp, "o2").refund("r1", 100n));
    expect(line.answers.filter(({ status }) => status >= 400)).toEqual([]);
    expect(new Set(line.answers.map(({ name }) => name))).toEqual(
      new Set([
        "POST /v1/payment_methods",
        "GET /v1/payment_methods/{id}",
        CREATE,
        "GET /v1/payment_intents/{id}",
        CAPTURE,
        CANCEL,
        REFUND,
        "GET /v1/refunds",
      ]),
    );
    expect(new Set(line.calls.map(({ version }) => version))).toEqual(new Set(["2026-08-26.dahlia"]));
    // Orders of two deployments may have one id: the key is the deployment's, too.
    expect(line.calls.filter(({ method }) => method === "POST").every(({ key }) => key?.startsWith("d0000001:") === true)).toBe(true);
    await line.close();
  });
});

describe.skipIf(book === undefined)("a payment at localstripe, which knows no Idempotency-Key", () => {
  let line: StripeLine;
  let psp: HttpPsp;
  let references: ReturnType<typeof createReferences>;
  let orders = 0;
  const nextOrder = () => `order-${(orders += 1)}`;
  const names = () => line.calls.map(({ name }) => name);

  beforeEach(async () => {
    line = await openStripeLine((book as StripeDouble).url);
    references = createReferences();
    psp = connectStripe(line.url, { references });
  });
  afterEach(() => line.close());

  const intentOf = (orderId: string) => (book as StripeDouble).get(`/v1/payment_intents/${references.kept.get(orderId) ?? ""}`);
  const intentsOf = async (orderId: string) => {
    const { data } = (await (book as StripeDouble).get("/v1/payment_intents?limit=1000")) as {
      data: { metadata: Record<string, string>; status: string }[];
    };
    return data.filter(({ metadata }) => metadata["saldo_order"] === orderId);
  };
  const refundsOf = async (orderId: string) => {
    const { data } = (await (book as StripeDouble).get(`/v1/refunds?limit=100&payment_intent=${references.kept.get(orderId) ?? ""}`)) as {
      data: { amount: number }[];
    };
    return data.map(({ amount }) => amount).toSorted((left, right) => left - right);
  };

  it("goes from card to payment method, authorisation, capture and refunds in parts, each done once however often it is asked", async () => {
    const orderId = nextOrder();
    const { token, last4, brand } = await psp.tokenise(VISA);
    expect({ last4, brand }).toEqual({ last4: "4242", brand: "visa" });
    expect(token).toMatch(/^pm_/);
    const steps = stepsOf(psp, orderId);
    for (let time = 0; time < 2; time += 1) {
      expect(await steps.authorise(token)).toEqual({ status: "approved", reference: references.kept.get(orderId) });
      if (time === 0) expect((await intentOf(orderId))["status"]).toBe("requires_capture");
    }
    for (let time = 0; time < 2; time += 1) expect(await steps.capture()).toMatchObject({ status: "approved" });
    for (let time = 0; time < 2; time += 1) {
      expect(await steps.refund("r1", 3_000n)).toMatchObject({ status: "approved", reference: expect.stringMatching(/^re_/) });
      expect(await steps.refund("r2", 500n)).toMatchObject({ status: "approved" });
    }
    expect(await intentOf(orderId)).toMatchObject({ status: "succeeded", amount: 10_000, currency: "eur" });
    expect(await refundsOf(orderId)).toEqual([500, 3_000]);
    expect(await psp.lookUp(paymentKey(orderId, "capture"))).toMatchObject({ status: "approved", kind: "capture", amountMinor: 10_000n });
    expect(await psp.lookUp(refundKey(orderId, "r1"))).toMatchObject({ status: "approved", amountMinor: 3_000n });
    expect(await psp.lookUp(refundKey(orderId, "r9"))).toBeUndefined();
  });

  it("of a token that the client has from Stripe goes the same way, and an unknown one is no card", async () => {
    const kept = await psp.keepToken("pm_card_visa");
    expect(kept).toMatchObject({ last4: "4242", brand: "visa" });
    expect(await stepsOf(psp, nextOrder()).authorise(kept.token)).toMatchObject({ status: "approved" });
    await expect(psp.keepToken("pm_nobody")).rejects.toMatchObject({ code: "INVALID_CARD", details: { pointer: "/payment/token" } });
    await expect(psp.keepToken("4242424242424242")).rejects.toMatchObject({ code: "INVALID_CARD" });
  });

  it("never carries a card number where that is not allowed", async () => {
    const careful = connectStripe(line.url, { rawCards: "refuse" });
    await expect(careful.tokenise(VISA)).rejects.toMatchObject({ code: "RAW_CARD_REFUSED", details: { pointer: "/payment/card" } });
    expect(line.calls).toEqual([]);
  });

  it("that the bank declines is declined for good, with a code, also when it is asked again", async () => {
    const steps = stepsOf(psp, nextOrder());
    const { token } = await psp.keepToken("pm_card_chargeCustomerFail");
    for (let time = 0; time < 2; time += 1) expect(await steps.authorise(token)).toEqual({ status: "declined", reason: "card_declined" });
    expect(names().filter((name) => name === CONFIRM)).toHaveLength(1);
  });

  it("whose buyer would have to identify themselves is declined and given up at Stripe", async () => {
    const orderId = nextOrder();
    const { token } = await psp.tokenise({ ...VISA, number: "4000002500003155" });
    expect(await stepsOf(psp, orderId).authorise(token)).toEqual({ status: "declined", reason: "authentication_required" });
    expect((await intentOf(orderId))["status"]).toBe("canceled");
    expect(await stepsOf(psp, orderId).authorise(token)).toMatchObject({ status: "declined" });
  });

  it("is released by a cancellation; after a capture the cancellation is declined", async () => {
    const [released, captured] = [nextOrder(), nextOrder()];
    const { token } = await psp.keepToken("pm_card_visa");
    await stepsOf(psp, released).authorise(token);
    for (let time = 0; time < 2; time += 1) expect(await stepsOf(psp, released).cancel()).toMatchObject({ status: "approved" });
    expect(await stepsOf(psp, released).capture()).toMatchObject({ status: "declined" });
    await stepsOf(psp, captured).authorise(token);
    await stepsOf(psp, captured).capture();
    expect(await stepsOf(psp, captured).cancel()).toEqual({ status: "declined", reason: "already_captured" });
  });

  it("that was cancelled before it was authorised is fenced: nothing is asked of the card later", async () => {
    const steps = stepsOf(psp, nextOrder());
    expect(await steps.cancel()).toMatchObject({ status: "approved" });
    expect(await steps.authorise("pm_card_visa")).toEqual({ status: "declined", reason: "cancelled" });
    expect(names()).toEqual([]);
  });

  describe.each([
    [CREATE, "before"],
    [CREATE, "after"],
    [CONFIRM, "before"],
    [CONFIRM, "after"],
    [CAPTURE, "before"],
    [CAPTURE, "after"],
    [REFUND, "before"],
    [REFUND, "after"],
    [CANCEL, "before"],
    [CANCEL, "after"],
  ] as const)("whose %s is cut off %s Stripe has it", (name, fault) => {
    it("takes effect once, and is told, in the same call and after a process that died", async () => {
      for (const cuts of [1, 4]) {
        const [paid, released] = [nextOrder(), nextOrder()];
        const { token } = await psp.keepToken("pm_card_visa");
        line.fail(name, fault, cuts);
        const untilTold = async <Value>(ask: (psp: HttpPsp) => Promise<Value>): Promise<Value> => {
          // A process that starts anew knows what is kept and nothing else.
          for (let life = 0; life < 3; life += 1) {
            const told = await ask(connectStripe(line.url, { references })).catch((error: { code?: string }) => {
              if (error.code !== "PSP_UNAVAILABLE") throw error;
            });
            if (told !== undefined) return told;
          }
          throw new Error("never told");
        };
        if (name !== CANCEL) {
          expect(await untilTold((by) => stepsOf(by, paid).authorise(token))).toMatchObject({ status: "approved" });
          expect(await untilTold((by) => stepsOf(by, paid).capture())).toMatchObject({ status: "approved" });
          expect(await untilTold((by) => stepsOf(by, paid).refund("r1", 100n))).toMatchObject({ status: "approved" });
          // What was made and never kept asks for no money: it was never confirmed.
          expect((await intentsOf(paid)).map(({ status }) => status).filter((status) => status !== "requires_confirmation")).toEqual([
            "succeeded",
          ]);
          expect(await refundsOf(paid)).toEqual([100]);
        } else {
          await untilTold((by) => stepsOf(by, released).authorise(token));
          expect(await untilTold((by) => stepsOf(by, released).cancel())).toMatchObject({ status: "approved" });
          expect((await intentsOf(released)).map(({ status }) => status)).toEqual(["canceled"]);
        }
      }
    });
  });

  describe("what an error of Stripe's means", () => {
    const declinedBy = (error: object, status = 402) => ({ status, error });

    it.each([
      [declinedBy({ type: "card_error", code: "card_declined", decline_code: "insufficient_funds" }), "insufficient_funds"],
      [declinedBy({ type: "card_error", code: "expired_card" }), "expired_card"],
      [declinedBy({ type: "card_error", code: "Your card 4242424242424242" }), "declined"],
    ])("%j is the card's final no, in a code and no words", async (fault, reason) => {
      line.fail(CONFIRM, fault);
      expect(await stepsOf(psp, nextOrder()).authorise("pm_card_visa")).toEqual({ status: "declined", reason });
    });

    it.each([
      [409, { type: "invalid_request_error", code: "lock_timeout" }],
      [429, { type: "invalid_request_error", code: "lock_timeout" }],
      [429, { type: "invalid_request_error", code: "rate_limit" }],
      [409, { type: "idempotency_error", code: "idempotency_key_in_use" }],
      [500, { type: "api_error" }],
      [503, { type: "api_error" }],
    ])("%i %j leaves it open and is asked again under the same key", async (status, error) => {
      line.fail(CONFIRM, { status, error });
      expect(await stepsOf(psp, nextOrder()).authorise("pm_card_visa")).toMatchObject({ status: "approved" });
      const keys = line.calls.filter(({ name }) => name === CONFIRM).map(({ key }) => key);
      expect(keys).toHaveLength(2);
      expect(new Set(keys).size).toBe(1);
    });

    it.each([
      [400, { type: "idempotency_error", code: "none" }],
      [401, { type: "invalid_request_error" }],
      [403, { type: "invalid_request_error" }],
    ])("%i %j ends no order: it is asked again later, not at once", async (status, error) => {
      const orderId = nextOrder();
      line.fail(CONFIRM, { status, error });
      await expect(stepsOf(psp, orderId).authorise("pm_card_visa")).rejects.toMatchObject({ code: "PSP_UNAVAILABLE" });
      expect(names().filter((name) => name === CONFIRM)).toHaveLength(1);
      expect(await stepsOf(psp, orderId).authorise("pm_card_visa")).toMatchObject({ status: "approved" });
    });

    it("a 429 with a Retry-After is waited for as long as it says", async () => {
      line.fail(CONFIRM, { status: 429, error: { type: "rate_limit_error" }, headers: { "retry-after": "7" } });
      await expect(stepsOf(psp, nextOrder()).authorise("pm_card_visa")).rejects.toMatchObject({
        code: "PSP_UNAVAILABLE",
        details: { retryAfterMs: "7000" },
      });
    });

    it("a capture whose key has a stored 500 is told by the payment's state, and its money is taken once", async () => {
      const orderId = nextOrder();
      await stepsOf(psp, orderId).authorise("pm_card_visa");
      line.fail(CAPTURE, "after");
      line.fail(CAPTURE, { status: 500, error: { type: "api_error" } }, 100);
      expect(await stepsOf(psp, orderId).capture()).toMatchObject({ status: "approved" });
      expect(names().filter((name) => name === CAPTURE)).toHaveLength(1);
      expect((await intentOf(orderId))["status"]).toBe("succeeded");
    });

    it("an invalid request that is no word on the card ends no order", async () => {
      line.fail(CREATE, { status: 400, error: { type: "invalid_request_error", code: "parameter_unknown" } });
      await expect(stepsOf(psp, nextOrder()).authorise("pm_card_visa")).rejects.toMatchObject({ code: "INTERNAL" });
    });

    it("five failures in a row open the breaker, and no request goes out", async () => {
      const careful = connectStripe(line.url, { references, breaker: { failures: 5 } });
      line.fail(CONFIRM, { status: 500, error: { type: "api_error" } }, 100);
      const orderId = nextOrder();
      for (let time = 0; time < 2; time += 1)
        await expect(stepsOf(careful, orderId).authorise("pm_card_visa")).rejects.toMatchObject({ code: "PSP_UNAVAILABLE" });
      expect(careful.breakerState()).toBe("open");
      const before = line.calls.length;
      await expect(stepsOf(careful, nextOrder()).authorise("pm_card_visa")).rejects.toMatchObject({ code: "PSP_UNAVAILABLE" });
      expect(line.calls.length).toBe(before);
    });
  });
});
