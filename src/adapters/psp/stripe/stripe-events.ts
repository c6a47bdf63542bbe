import { z } from "zod";
import { DomainError } from "../../../base/errors.ts";
import type { DisputeMove, ProviderEvent, ProviderNews } from "../../../contract/provider-events.ts";
import { fromStripeAmount } from "./stripe-amounts.ts";
import { KEY_NAME } from "./stripe-exchange.ts";
import { openStripe } from "./stripe-library.ts";
import { stripeCode } from "./stripe-refusal.ts";

/** Reads signed events of the payment provider. */
export interface ProviderEvents {
  /**
   * The event in a body as it came. Throws: INVALID_SIGNATURE when no secret fits or the signature is too old; MALFORMED_JSON, INVALID_REQUEST
   * for what is signed and no event.
   */
  read(body: Uint8Array, signature: string | undefined): Promise<ProviderEvent>;
}

/** How old a signature may be, against bodies that were overheard and are sent again. Stripe signs anew at each of its own attempts. */
const TOLERANCE_SECONDS = 300;

const id = z.string().min(1).max(255);
const idOrObject = z.union([id, z.object({ id }).transform((object) => object.id)]).nullish();

const eventSchema = z.object({
  id,
  type: z.string().max(255),
  created: z.number().int().positive(),
  data: z.object({ object: z.unknown() }),
});
const intentSchema = z.object({ id: id.startsWith("pi_") });
const refundSchema = z.object({
  id,
  payment_intent: idOrObject,
  status: z.string().nullish(),
  failure_reason: z.string().nullish(),
  metadata: z.object({ [KEY_NAME]: z.string().max(1_000).optional() }).nullish(),
});
const chargeSchema = z.object({ payment_intent: idOrObject });
const disputeSchema = z.object({
  id,
  payment_intent: idOrObject,
  status: z.string(),
  reason: z.string(),
  amount: z.number().int(),
  currency: z.string().max(16),
});

interface About {
  readonly reference: string | undefined;
  readonly news: ProviderNews;
}
const NOTHING: About = { reference: undefined, news: { kind: "none" } };

const INTENTS: ReadonlySet<string> = new Set([
  "payment_intent.succeeded",
  "payment_intent.payment_failed",
  "payment_intent.canceled",
  "payment_intent.amount_capturable_updated",
]);
const REFUNDS: ReadonlySet<string> = new Set(["refund.updated", "refund.failed", "charge.refund.updated"]);
const DISPUTES: Readonly<Record<string, DisputeMove>> = {
  "charge.dispute.created": "opened",
  "charge.dispute.funds_withdrawn": "withdrawn",
  "charge.dispute.funds_reinstated": "reinstated",
  "charge.dispute.closed": "closed",
};

/** Events signed with one of the secrets: while a secret is rotated, both hold. */
export function createStripeEvents(options: { readonly secrets: readonly string[] }): ProviderEvents {
  // The library checks signatures without asking Stripe anything: no address and no key is used.
  const open = openStripe({ url: "https://api.stripe.com", secretKey: "unused", timeoutMs: 1_000 });
  return {
    async read(body, signature) {
      const text = Buffer.from(body).toString("utf8");
      const { webhooks } = await open();
      const fits = (secret: string) => {
        try {
          return webhooks.signature?.verifyHeader(text, signature ?? "", secret, TOLERANCE_SECONDS) === true;
        } catch {
          return false;
        }
      };
      if (!options.secrets.some(fits)) throw new DomainError("INVALID_SIGNATURE");
      return readEvent(parsed(text));
    },
  };
}

function readEvent(json: unknown): ProviderEvent {
  const { id: eventId, type, created, data } = fitting(eventSchema, json);
  return { id: eventId, type, happenedAt: new Date(created * 1_000), ...aboutOf(type, data.object) };
}

function aboutOf(type: string, object: unknown): About {
  if (INTENTS.has(type)) return { reference: fitting(intentSchema, object).id, news: { kind: "payment" } };
  const move = DISPUTES[type];
  if (move !== undefined) {
    const { id: disputeId, payment_intent: reference, ...dispute } = fitting(disputeSchema, object);
    const currency = dispute.currency.toUpperCase();
    const [status, reason] = [stripeCode(dispute.status) ?? "unknown", stripeCode(dispute.reason) ?? "unknown"];
    const amountMinor = countable(dispute.amount, currency);
    if (amountMinor === undefined) return NOTHING;
    return { reference: reference ?? undefined, news: { kind: "dispute", disputeId, move, status, reason, amountMinor, currency } };
  }
  if (REFUNDS.has(type)) {
    const { id: refundReference, payment_intent: reference, status, failure_reason: reason, metadata } = fitting(refundSchema, object);
    const hasFailed = status === "failed" || status === "canceled";
    const key = metadata?.[KEY_NAME];
    const news: ProviderNews = hasFailed
      ? { kind: "refund failed", refundReference, ...(key === undefined ? {} : { key }), reason: stripeCode(reason) ?? "unknown" }
      : { kind: "payment" };
    return { reference: reference ?? undefined, news };
  }
  if (type === "charge.refunded")
    return { reference: fitting(chargeSchema, object).payment_intent ?? undefined, news: { kind: "payment" } };
  return NOTHING;
}

/**
 * The amount in minor units; undefined where no order of Saldo's can have it: the account's other payments may be in a currency that is not
 * counted here, and their events are to be answered, or Stripe sends them for days and then stops the endpoint.
 */
function countable(amount: number, currency: string): bigint | undefined {
  try {
    return amount > 0 ? fromStripeAmount(amount, currency) : undefined;
  } catch (error) {
    if (error instanceof DomainError && error.code === "INVALID_CURRENCY") return undefined;
    throw error;
  }
}

function fitting<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const read = schema.safeParse(value);
  if (!read.success) throw new DomainError("INVALID_REQUEST", "the event is not in the form that is known here");
  return read.data;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DomainError("MALFORMED_JSON");
  }
}
