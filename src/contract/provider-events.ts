import { defineSignal } from "@temporalio/workflow";

/** What may come of a dispute: `opened` and `closed` move no money, `withdrawn` takes the disputed amount, `reinstated` brings it back. */
export const DISPUTE_MOVES = ["opened", "withdrawn", "reinstated", "closed"] as const;
export type DisputeMove = (typeof DISPUTE_MOVES)[number];

/** An event of the payment provider, whose signature was checked. `reference` is the provider's payment that it is about. */
export interface ProviderEvent {
  readonly id: string;
  /** The provider's own name of it. */
  readonly type: string;
  readonly happenedAt: Date;
  readonly reference: string | undefined;
  readonly news: ProviderNews;
}

export type ProviderNews =
  /** A payment's state may have changed: who waits for it asks the provider. */
  | { readonly kind: "payment" }
  /**
   * A refund that was on its way did not arrive. `refundReference` is the provider's id of the refund, `key` the one that Saldo asked for it
   * with; absent for a refund that somebody made at the provider itself.
   */
  | { readonly kind: "refund failed"; readonly refundReference: string; readonly key?: string; readonly reason: string }
  | {
      readonly kind: "dispute";
      readonly disputeId: string;
      readonly move: DisputeMove;
      /** The provider's own code of how it stands. */
      readonly status: string;
      readonly reason: string;
      readonly amountMinor: bigint;
      readonly currency: string;
    }
  /** Nothing for Saldo. */
  | { readonly kind: "none" };

/** Tells an order's workflow that the provider may know more about its payment by now. */
export const providerNewsSignal = defineSignal<[{ readonly event: string }]>("providerNews");
