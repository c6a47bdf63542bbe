import { hash } from "node:crypto";
import type { MessagePosition } from "../../contract/ids.ts";
import type { OrderLine, OrderStatus, PaymentMethod, SagaState } from "../../contract/orders.ts";

export type AccountKind = "available" | "held" | "revenue" | "external" | "psp";
export type OperationKind =
  | "deposit"
  | "withdrawal"
  | "transfer"
  | "hold"
  | "capture"
  | "release"
  | "expiry"
  | "charge"
  | "refund"
  | "accrual"
  | "redemption"
  | "dispute"
  | "dispute_reversal"
  | "refund_reversal";

/** Revenue of a sale that names no service stands under this one (C-23). */
export const UNASSIGNED_SERVICE = "unassigned";

/** An account of the operation's currency. `owner` is the user for `available` and `held`, the service for `revenue`, empty for the rest. */
export interface Account {
  readonly kind: AccountKind;
  readonly owner: string;
}

export type HoldEffect = "open" | "capture" | "release" | "expire";

/** One movement from the debit to the credit account. `remainder` is what the hold still has, known only under its lock. */
export interface Posting {
  readonly debit: Account;
  readonly credit: Account;
  readonly amountMinor: bigint | "remainder";
  readonly hold?: { readonly id: string; readonly effect: HoldEffect };
}

/** The hold a posting opens. `expiresAt` is ISO 8601. */
export interface HoldOpening {
  readonly id: string;
  readonly purpose: "reservation" | "order";
  readonly userId: string;
  readonly serviceId: string;
  readonly orderId: string;
  readonly lineNo: number;
  readonly expiresAt: string;
  readonly requestHash: string;
}

/** The order's move that comes true together with the money, or not at all. */
export interface OrderChange {
  readonly orderId: string;
  readonly from: SagaState;
  readonly to: SagaState;
  readonly status: OrderStatus;
  /** The content of the order's row, which is created as STARTED before the move where it is not there yet. */
  readonly creates?: NewOrderRow;
}

/** An order as its row begins. An order of another request under the same id is left alone, and so is the operation. */
export interface NewOrderRow {
  readonly userId: string;
  readonly currency: string;
  readonly totalMinor: string;
  readonly paymentMethod: PaymentMethod;
  readonly comment: string;
  readonly requestHash: string;
  readonly workflowId: string;
  readonly caller: string;
  readonly correlationId: string;
  readonly lines: readonly OrderLine[];
  /** What starts the order's workflow, without the lines. */
  readonly sagaInput: Readonly<Record<string, unknown>>;
}

/** Who asked for an operation and in what course of things: enough to find one order, one hold, one event. */
export interface Origin {
  readonly caller: string;
  readonly correlationId: string;
  readonly workflowId?: string;
  readonly runId?: string;
  readonly position?: MessagePosition;
}

/** A change of balances with its permanent key. The same key with the same content is the same operation, for ever. */
export interface Operation {
  readonly key: string;
  readonly kind: OperationKind;
  readonly currency: string;
  readonly userId: string;
  readonly peerUserId?: string;
  readonly serviceId?: string;
  readonly orderId?: string;
  readonly holdId?: string;
  /** ISO 8601: when it happened in the world. Without it: when it was recorded. */
  readonly effectiveAt?: string;
  /** Where from and what for, in words. */
  readonly comment: string;
  readonly origin: Origin;
  readonly postings: readonly Posting[];
  readonly opens?: readonly HoldOpening[];
  readonly orderChange?: OrderChange;
  /** Content that the postings do not show but that makes a repeat another request, such as an event's own date. */
  readonly furtherContent?: readonly string[];
}

/** SHA-256 over what the operation does. Words, times of recording and the way it came are not content. */
export function contentHash(operation: Operation): string {
  const content = [
    operation.kind,
    operation.currency,
    operation.userId,
    operation.peerUserId ?? null,
    operation.serviceId ?? null,
    operation.orderId ?? null,
    operation.postings.map((posting) => [
      posting.debit.kind,
      posting.debit.owner,
      posting.credit.kind,
      posting.credit.owner,
      posting.amountMinor.toString(),
      posting.hold?.id ?? null,
      posting.hold?.effect ?? null,
    ]),
    operation.opens?.map((hold) => hold.requestHash) ?? [],
    operation.furtherContent ?? [],
  ];
  return hash("sha256", JSON.stringify(content));
}

export const available = (userId: string): Account => ({ kind: "available", owner: userId });
export const held = (userId: string): Account => ({ kind: "held", owner: userId });
export const revenue = (serviceId: string): Account => ({ kind: "revenue", owner: serviceId });
export const EXTERNAL: Account = { kind: "external", owner: "" };
export const PSP: Account = { kind: "psp", owner: "" };
