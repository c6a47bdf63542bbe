import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { createStripeEvents } from "./stripe-events.ts";

const SECRET = "whsec_0123456789abcdef";
const events = createStripeEvents({ secrets: [SECRET] });
const dispute = (more: object) =>
  JSON.stringify({
    id: "evt_1",
    type: "charge.dispute.funds_withdrawn",
    created: 1_900_000_000,
    data: { object: { id: "dp_1", payment_intent: "pi_1", status: "lost", reason: "general", amount: 100, currency: "eur", ...more } },
  });
const hex = (body: string, seconds: number, secret = SECRET) => createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex");
const read = (body: string, signature: string) => events.read(Buffer.from(body), signature);
const now = () => Math.floor(Date.now() / 1_000);
const taken = (body: string) => read(body, `t=${now()},v1=${hex(body, now())}`);

it.each([
  ["in a currency that is counted in two ways", { currency: "ugx" }],
  ["in one that no card of Saldo's pays in", { currency: "zzz" }],
  ["in a coin", { currency: "usdc" }],
  ["of nothing", { amount: 0 }],
])("a dispute %s is of another payment of the account, and no reason to refuse the event", async (_what, more) => {
  expect(await taken(dispute(more))).toMatchObject({ id: "evt_1", reference: undefined, news: { kind: "none" } });
  expect(await taken(dispute({}))).toMatchObject({ reference: "pi_1", news: { kind: "dispute", amountMinor: 100n } });
});

it("a refund that failed tells the key that it was asked for with", async () => {
  const object = { id: "re_1", payment_intent: { id: "pi_1" }, status: "failed", metadata: { saldo_key: "o:refund:r", other: "x" } };
  const body = JSON.stringify({ id: "evt_2", type: "refund.failed", created: 1_900_000_000, data: { object } });
  expect(await taken(body)).toMatchObject({
    reference: "pi_1",
    news: { kind: "refund failed", refundReference: "re_1", key: "o:refund:r", reason: "unknown" },
  });
});

it("what is signed in another way than Stripe's own is no event", async () => {
  const body = dispute({});
  const [at, old] = [now(), now() - 400];
  const right = hex(body, at);
  const refused = [
    "",
    `t=${at},v0=${right}`,
    `t=${at}`,
    `v1=${right}`,
    `t=${at},v1=`,
    `t=${at},v1=${right.slice(0, -1)}`,
    `t=${at},v1=${hex(body, at, "")}`,
    `t=${old},v1=${hex(body, old)}`,
    // A newer time beside an old signature is not the time that was signed.
    `t=${old},v1=${hex(body, old)},t=${at}`,
    `t=${at},t=${old},v1=${hex(body, old)}`,
    `t=${old},v1=${hex(body, old)}, t=${at},v1=00`,
  ];
  for (const signature of refused) await expect(read(body, signature), signature).rejects.toMatchObject({ code: "INVALID_SIGNATURE" });
  await expect(createStripeEvents({ secrets: [] }).read(Buffer.from(body), `t=${at},v1=${hex(body, at, "")}`)).rejects.toMatchObject({
    code: "INVALID_SIGNATURE",
  });
  // A second signature, of a secret that is rotated, does no harm.
  expect((await read(body, `t=${at},v1=00,v1=${right}`)).id).toBe("evt_1");
});
