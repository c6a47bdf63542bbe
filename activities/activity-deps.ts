import type { Psp } from "../src/adapters/psp/psp.ts";
import type { DomainError } from "../src/base/errors.ts";
import type { EventBatchInput, EventBatchPlace } from "../src/contract/events.ts";
import type { OrderEnd, OrderSagaInput } from "../src/contract/orders.ts";
import type { OrderRefundInput } from "../src/contract/refunds.ts";
import type { ReservationInput, ReservationState } from "../src/contract/reservations.ts";
import type { SagaPaymentRequest } from "../src/contract/saga-commands.ts";
import type { CacheComparison } from "../src/store/balance-cache/compare-cache.ts";
import type { Ledger } from "../src/store/ledger/ledger.ts";
import type { EndedOrderCache } from "../src/store/orders/cached-order.ts";
import type { OrderStanding } from "../src/store/orders/orders.ts";
import type { Db } from "../src/store/postgres/database.ts";
import type { Lane } from "../src/store/postgres/lane.ts";
import type { WorkflowRun } from "./orders/order-operations.ts";

/** What activities need of a log. */
export interface ActivityLog {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** Compares up to `limit` users' cached balances with the books, and drops what is wrong. Throws: UNAVAILABLE, DEADLINE_EXCEEDED. */
export type CompareCachedBalances = (limit: number) => Promise<CacheComparison>;

/** Creates, holds and captures orders of wallets in one statement. */
export interface PayAtOnce {
  /**
   * The order's standing once it is paid; undefined when it is not paid, or when that is not known: its row then tells how it stands.
   * An attempt that `ahead` has begun for the same run is taken over and not made anew.
   * Safe to retry: the keys are the run's workflow's. Throws: UNAVAILABLE, DEADLINE_EXCEEDED.
   */
  pay(order: OrderSagaInput, run: WorkflowRun): Promise<OrderStanding | undefined>;
  /**
   * Begins the attempt of a run whose first task a worker of this process already has, while that task is on its way to the first step.
   * The workflow stays the one that sees the order through: the attempt has its keys, and whatever becomes of it the step finds.
   */
  ahead(order: OrderSagaInput, run: WorkflowRun): void;
}

/** What activities ask of Temporal. */
export interface WorkflowPort {
  /** Whether a workflow runs under this id at this moment. */
  isOpen(workflowId: string): Promise<boolean>;
  /** Starts the workflow of a held reservation again. Leaves one that runs alone. */
  restartReservation(input: ReservationInput): Promise<void>;
  /** Starts the saga of an unfinished order again. Leaves one that runs alone. */
  restartOrder(input: OrderSagaInput): Promise<void>;
  /** Starts the workflow of a pending refund. Leaves one that runs alone. */
  startRefund(input: OrderRefundInput): Promise<unknown>;
  /** Makes sure that a workflow waits for the answer to an order's REFUND: starts it again when an earlier one has ended. */
  followSagaRefund(payment: SagaPaymentRequest): Promise<void>;
}

/** The answer of a webhook's receiver. `status` is undefined when it did not answer. */
export interface WebhookAnswer {
  readonly status: number | undefined;
  /** Why there was no answer, in words that hold nothing of what was sent. */
  readonly error: string | undefined;
  /** The answer's `Retry-After`, verbatim. */
  readonly retryAfter?: string;
}

/** Sends webhooks to their receivers. */
export interface WebhookPort {
  /** Sends one signed message once, within a bounded time. Whatever the receiver does is an answer, never thrown. */
  send(message: {
    readonly url: string;
    readonly id: string;
    readonly body: string;
    /** Each secret signs; the newest stands first. */
    readonly secrets: readonly string[];
  }): Promise<WebhookAnswer>;
  /** Decrypts a secret for signing. Throws: Error when it was sealed with another key. */
  openSecret(sealed: string, webhookId: string): string;
}

/** Finds the events of a batch by its place. Throws: UNAVAILABLE, which may pass; EVENTS_REMOVED, EVENTS_CHANGED, which do not. */
export type EventFinder = (place: EventBatchPlace) => Promise<EventBatchInput>;

/** Everything that activities may use. They know no client and no configuration. */
export interface ActivityDeps {
  readonly db: Db;
  readonly ledger: Ledger;
  /** Without it the self-audit looks at no cached balance. */
  readonly compareCachedBalances?: CompareCachedBalances;
  /** Without it every read of an order asks Postgres. */
  readonly orderCache?: EndedOrderCache;
  readonly psp: Psp;
  readonly logger: ActivityLog;
  /** The folder of the published reports. */
  readonly reportsDir: string;
  /** The version of Saldo, which a report names; tests leave it out. */
  readonly codeVersion?: string;
  /** Opens a lane for long statements and streams, each bounded by `deadlineMs`. The caller closes it. */
  readonly openLane: (name: string, deadlineMs?: number) => Lane;
  /** Told of every order that ended in this process, once its end is committed. */
  readonly tellOrderEnd?: (end: OrderEnd) => void;
  /** Told of every hold that this process has placed, or refused for good, once that is committed; of neither where the step failed otherwise. */
  readonly tellHold?: (reservationId: string, hold: ReservationState | DomainError | undefined) => void;
  /** The payments at once of this process, which starts of orders may begin ahead of their steps. Without it the steps have their own. */
  readonly payAtOnce?: PayAtOnce;
  /** Without it the self-audit repairs no lost workflow, and no workflow waits for the answer to a REFUND. */
  readonly workflows?: WorkflowPort;
  /** Without it only batches whose workflows carry their events are applied. */
  readonly eventsAt?: EventFinder;
  /** Without it no webhook is sent. */
  readonly webhooks?: WebhookPort;
}
