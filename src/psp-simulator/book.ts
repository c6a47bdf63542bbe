import { createHash } from "node:crypto";
import type { PaymentRequest } from "./wire.ts";

/** A card in the vault: neither its number nor its CVC. */
export interface TokenEntry {
  readonly type: "token";
  readonly token: string;
  readonly last4: string;
  readonly brand: string;
  /** The test card's name, for its script. */
  readonly testCard?: string;
  readonly at: string;
}

/** A step that was executed, or declined for good. Amounts are minor units. */
export interface PaymentEntry {
  readonly type: "payment";
  readonly key: string;
  readonly kind: PaymentRequest["kind"];
  /** Absent on the fence that a cancel leaves for an authorisation that has not arrived. */
  readonly contentHash?: string;
  readonly orderId: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly status: "approved" | "declined";
  readonly reason?: string;
  readonly reference: string;
  readonly cardToken?: string;
  readonly authorisationKey?: string;
  readonly captureKey?: string;
  readonly at: string;
}

/** A key whose requests are answered with the same 500 until `reconciled`. */
export interface StoredErrorEntry {
  readonly type: "stored-error";
  readonly key: string;
  readonly contentHash: string;
  readonly at: string;
}

export interface ReconciledEntry {
  readonly type: "reconciled";
  readonly key: string;
  readonly at: string;
}

export type BookEntry = TokenEntry | PaymentEntry | StoredErrorEntry | ReconciledEntry;

/** The provider's book in memory. `apply` is the only way it changes. */
export interface Book {
  apply(entry: BookEntry): void;
  entries(): readonly BookEntry[];
  token(token: string): TokenEntry | undefined;
  payment(key: string): PaymentEntry | undefined;
  storedError(key: string): StoredErrorEntry | undefined;
  storedErrors(): readonly StoredErrorEntry[];
  wasReconciled(key: string): boolean;
  /** The entries that the execution of a step would write, its own entry first. With a `declineReason` the step is declined. Changes nothing. */
  decide(request: PaymentRequest, options: { readonly at: string; readonly declineReason?: string }): PaymentEntry[];
}

/** An empty book. */
export function createBook(): Book {
  const entries: BookEntry[] = [];
  const tokens = new Map<string, TokenEntry>();
  const payments = new Map<string, PaymentEntry>();
  const storedErrors = new Map<string, StoredErrorEntry>();
  const capturedMinor = new Map<string, bigint>();
  const refundedMinor = new Map<string, bigint>();
  const cancelled = new Set<string>();
  const reconciled = new Set<string>();
  const add = (sums: Map<string, bigint>, key: string, amountMinor: string) => sums.set(key, (sums.get(key) ?? 0n) + BigInt(amountMinor));

  /** Why the step cannot be done, or undefined when it can. */
  const refusalOf = (request: PaymentRequest): string | undefined => {
    const amountMinor = BigInt(request.amountMinor);
    switch (request.kind) {
      case "authorise":
        return tokens.has(request.cardToken) ? undefined : "unknown_card_token";
      case "capture": {
        const authorisation = payments.get(request.authorisationKey);
        if (authorisation?.kind !== "authorise") return "authorisation_not_found";
        if (cancelled.has(request.authorisationKey)) return "authorisation_cancelled";
        if (authorisation.status === "declined") return "authorisation_declined";
        if (authorisation.currency !== request.currency) return "currency_mismatch";
        const total = (capturedMinor.get(request.authorisationKey) ?? 0n) + amountMinor;
        return total > BigInt(authorisation.amountMinor) ? "amount_exceeds_authorised" : undefined;
      }
      case "cancel":
        return (capturedMinor.get(request.authorisationKey) ?? 0n) > 0n ? "already_captured" : undefined;
      case "refund": {
        const capture = payments.get(request.captureKey);
        if (capture?.kind !== "capture" || capture.status === "declined") return "capture_not_found";
        if (capture.currency !== request.currency) return "currency_mismatch";
        const total = (refundedMinor.get(request.captureKey) ?? 0n) + amountMinor;
        return total > BigInt(capture.amountMinor) ? "amount_exceeds_captured" : undefined;
      }
    }
  };

  return {
    apply(entry) {
      entries.push(entry);
      if (entry.type === "token") tokens.set(entry.token, entry);
      if (entry.type === "stored-error") storedErrors.set(entry.key, entry);
      if (entry.type === "reconciled") {
        storedErrors.delete(entry.key);
        reconciled.add(entry.key);
      }
      if (entry.type !== "payment") return;
      payments.set(entry.key, entry);
      if (entry.status === "declined") return;
      if (entry.kind === "capture") add(capturedMinor, entry.authorisationKey ?? "", entry.amountMinor);
      if (entry.kind === "refund") add(refundedMinor, entry.captureKey ?? "", entry.amountMinor);
      if (entry.kind === "cancel") cancelled.add(entry.authorisationKey ?? "");
    },
    entries: () => entries,
    token: (token) => tokens.get(token),
    payment: (key) => payments.get(key),
    storedError: (key) => storedErrors.get(key),
    storedErrors: () => [...storedErrors.values()],
    wasReconciled: (key) => reconciled.has(key),
    decide(request, { at, declineReason }) {
      const reason = refusalOf(request) ?? declineReason;
      const done: PaymentEntry = {
        type: "payment",
        ...request,
        contentHash: contentHashOf(request),
        ...(reason === undefined ? { status: "approved" } : { status: "declined", reason }),
        reference: referenceOf(request.key),
        at,
      };
      if (request.kind !== "cancel" || payments.has(request.authorisationKey)) return [done];
      // The authorisation may still be on its way. The fence declines it when it arrives after its cancel.
      const { orderId, amountMinor, currency, authorisationKey: key } = request;
      const fence = { kind: "authorise", status: "declined", reason: "authorisation_cancelled" } as const;
      return [done, { type: "payment", key, orderId, amountMinor, currency, ...fence, reference: referenceOf(key), at }];
    },
  };
}

/** A hash of a request's content without its key: equal for requests that ask for the same step. */
export function contentHashOf(request: PaymentRequest): string {
  const { kind, orderId, amountMinor, currency } = request;
  const of = "cardToken" in request ? request.cardToken : "captureKey" in request ? request.captureKey : request.authorisationKey;
  return createHash("sha256")
    .update(JSON.stringify([kind, orderId, amountMinor, currency, of]))
    .digest("hex")
    .slice(0, 32);
}

function referenceOf(key: string): string {
  return `pay_${createHash("sha256").update(key).digest("hex").slice(0, 24)}`;
}
