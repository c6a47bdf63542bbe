import { ApplicationFailure } from "@temporalio/common";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { SagaState } from "../../src/contract/orders.ts";
import type { HoldStatus } from "../../src/contract/reservations.ts";

/** The steps that workflows of orders and reservations are made of. */
export type Step =
  | "createOrder"
  /** What createOrder does besides for an order that may be paid at once. */
  | "payAtOnce"
  | "holdOrder"
  | "captureOrder"
  | "beginCompensation"
  | "releaseOrder"
  | "cancelOrder"
  | "authoriseCard"
  | "awaitCapture"
  | "captureCard"
  | "chargeOrder"
  | "refundCard"
  | "cancelCardAuthorisation"
  | "noteStuck"
  | "settleByHand"
  | "untilUnpaused"
  | "placeHold"
  | "captureHold"
  | "releaseHold"
  | "endHold"
  | "extendHold"
  | "advanceHoldClock"
  | "tellHoldExpiring";

/**
 * The behaviour of one call of a step. `away`: it fails before its effect. `lost`: it has its effect and its answer is lost.
 * `broken`: it throws a plain Error before its effect. A function is called with the effect and may await before and after it.
 */
export type Behaviour = "ok" | "away" | "lost" | "broken" | { readonly refused: ErrorCode } | ((effect: () => void) => Promise<void>);

/** The behaviours of the calls of each step, in their order; the calls after them are `ok`. */
export type Script = Partial<Record<Step, readonly Behaviour[]>>;

/** The same behaviour for so many calls. */
export function repeat(behaviour: Behaviour, times: number): Behaviour[] {
  return Array.from({ length: times }, () => behaviour);
}

/** The book of one order or reservation: money, row, and what changed them in which order. */
export interface Page {
  availableMinor: bigint;
  heldMinor: bigint;
  revenueMinor: bigint;
  captures: number;
  order: { state: SagaState; requestHash: string; failure?: { code: string; message: string } } | undefined;
  /** What the payment provider did with the card. `fenced`: it declines a late authorisation or capture. */
  readonly card: { authorised: boolean; fenced: boolean; captured: boolean; refunded: boolean };
  /** While true, captures are paused. */
  paused: boolean;
  /** The steps that operators ended by hand. */
  readonly settlements: string[];
  hold: { status: HoldStatus; amountMinor: bigint; capturedMinor: bigint; releasedMinor: bigint; expiresAt: string } | undefined;
  /** The effects in their order. A call that changed nothing has none. */
  readonly effects: string[];
  readonly calls: Partial<Record<Step, number>>;
  /** True when the order is paid at once where nothing stands in the way; false has it go step by step. */
  readonly paysAtOnce: boolean;
  readonly script: Script;
  readonly decided: Map<string, ErrorCode | "done">;
}

/** What the steps of each kind are made over. */
export interface BookAccess {
  /** Throws: ApplicationFailure when nobody opened a page under the id. */
  pageOf(id: string): Page;
  /** Counts the call and does with its effect what the page's script says. */
  call<Result>(page: Page, step: Step, effect: () => Result): Promise<Result>;
  /** As the ledger: what was decided under a key is the answer for ever. `decide` answers with the code of a refusal, or has its effect. */
  once(page: Page, key: string, name: string, decide: () => ErrorCode | undefined): void;
}

/** A refusal as the activities throw it: final, and its type is the code. */
export function refusal(code: ErrorCode): ApplicationFailure {
  return ApplicationFailure.nonRetryable(code, code);
}
