import { z } from "zod";

const text = z.string().min(1).max(255);
const common = { orderId: text, amountMinor: z.string().regex(/^[1-9]\d{0,17}$/), currency: z.string().regex(/^[A-Z]{3}$/) };

/** The body of `POST /v1/payments/{step}`, by step. */
export const paymentBodySchemas = {
  authorise: z.strictObject({ ...common, cardToken: text }),
  capture: z.strictObject({ ...common, authorisationKey: text }),
  cancel: z.strictObject({ ...common, authorisationKey: text }),
  refund: z.strictObject({ ...common, captureKey: text }),
} as const;

export type PaymentKind = keyof typeof paymentBodySchemas;

/** The request of a step, with its key. */
export type PaymentRequest = {
  [Kind in PaymentKind]: { readonly kind: Kind; readonly key: string } & Readonly<z.infer<(typeof paymentBodySchemas)[Kind]>>;
}[PaymentKind];

/** The body of `POST /v1/tokens`. */
export const cardBodySchema = z.strictObject({
  number: z.string().max(64),
  expiry: z.string().max(16),
  cvc: z.string().max(16),
  holderName: z.string().max(255).optional(),
});

/** A key as the header Idempotency-Key carries it: 1 to 255 visible ASCII characters. */
export const keySchema = z.string().regex(/^[\x21-\x7e]{1,255}$/);

/** The body of the answer to a step or a look-up. */
export interface PaymentAnswer {
  readonly key: string;
  readonly kind: PaymentKind;
  readonly status: "approved" | "declined";
  readonly reason?: string;
  readonly reference: string;
  readonly orderId: string;
  readonly amountMinor: string;
  readonly currency: string;
}
