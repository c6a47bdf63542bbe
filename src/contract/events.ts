/** One valid purchase event as it travels to its workflow. `offset` is decimal text; `amountMinor` is minor units as text. */
export interface PurchaseEventItem {
  readonly offset: string;
  readonly eventId?: string;
  readonly userId: string;
  readonly amountMinor: string;
  readonly currency: string;
  readonly paymentMethod: string;
  /** ISO 8601, UTC. */
  readonly occurredAt: string;
  readonly serviceId?: string;
  readonly orderId?: string;
  /** From the message's header; without it the event's place in the topic. */
  readonly correlationId?: string;
}

/** What starts an `eventBatch`: events of one partition in their order. */
export interface EventBatchInput {
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: string;
  readonly lastOffset: string;
  readonly events: readonly PurchaseEventItem[];
}

/**
 * What became of a batch. Two kinds are for the dead letters: `conflicts`, whose identity was used before with other content,
 * and `failures`, which the ledger cannot take at all, whatever is tried.
 */
export interface EventBatchResult {
  readonly applied: number;
  readonly duplicates: number;
  readonly refused: number;
  readonly conflicts: readonly { readonly offset: string; readonly message: string }[];
  readonly failures: readonly { readonly offset: string; readonly message: string }[];
}
