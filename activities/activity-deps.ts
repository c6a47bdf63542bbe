import type { Psp } from "../src/adapters/psp/psp.ts";
import type { OrderSagaInput } from "../src/contract/orders.ts";
import type { OrderRefundInput } from "../src/contract/refunds.ts";
import type { ReservationInput } from "../src/contract/reservations.ts";
import type { SagaPaymentRequest } from "../src/contract/saga-commands.ts";
import type { BalanceRecord } from "../src/store/ledger/balances.ts";
import type { Ledger } from "../src/store/ledger/ledger.ts";
import type { Db } from "../src/store/postgres/database.ts";
import type { Lane } from "../src/store/postgres/lane.ts";

/** A log as far as activities write to it. */
export interface ActivityLog {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** Where fresh balances go. `enabled` is false where there is no Redis. */
export interface BalanceSink {
  readonly enabled: boolean;
  put(balances: readonly BalanceRecord[]): Promise<void>;
}

/** Where orders go that have ended. `enabled` is false where there is no Redis. */
export interface OrderSink {
  readonly enabled: boolean;
  put(orderId: string, order: { readonly version: bigint; readonly text: string }): Promise<void>;
}

/** What activities ask Temporal. */
export interface WorkflowPort {
  /** Whether a workflow runs under this id at this moment. */
  isOpen(workflowId: string): Promise<boolean>;
  /** Starts the workflow of a hold that stands and has lost its own; one that runs is left alone. */
  restartReservation(input: ReservationInput): Promise<void>;
  /** Starts the saga of an order that is not decided and has lost its own; one that runs is left alone. */
  restartOrder(input: OrderSagaInput): Promise<void>;
  /** Starts the workflow of a refund that was set aside; one that runs is left alone. */
  startRefund(input: OrderRefundInput): Promise<unknown>;
  /** Has the answer to an order's REFUND waited for, also where an earlier one was answered already. */
  followSagaRefund(payment: SagaPaymentRequest): Promise<void>;
}

/** What a receiver of webhooks answered; `status` is undefined when it did not. */
export interface WebhookAnswer {
  readonly status: number | undefined;
  /** Why there was no answer, in words; nothing of what was sent. */
  readonly error: string | undefined;
}

/** The way to receivers of webhooks. */
export interface WebhookPort {
  /** Sends one signed message, once, within a bounded time. Does not throw for what the other side does. */
  send(message: {
    readonly url: string;
    readonly id: string;
    readonly body: string;
    /** The newest first; each signs. */
    readonly secrets: readonly string[];
  }): Promise<WebhookAnswer>;
  /** The secret as it signs. Throws: Error when it was sealed with another key. */
  openSecret(sealed: string, webhookId: string): string;
}

/** All that activities may use. They hold nothing else: no client, no configuration. */
export interface ActivityDeps {
  readonly db: Db;
  readonly ledger: Ledger;
  readonly balanceCache: BalanceSink;
  /** Where there is none, every read of an order asks Postgres. */
  readonly orderCache?: OrderSink;
  readonly psp: Psp;
  readonly logger: ActivityLog;
  /** The folder of the published reports. */
  readonly reportsDir: string;
  /** A lane of its own for long statements and streams, each bounded by `deadlineMs`. The caller closes it. */
  readonly openLane: (name: string, deadlineMs?: number) => Lane;
  /** Where there is none, the self-audit leaves out what it would ask it. */
  readonly workflows?: WorkflowPort;
  /** Where there is none, no webhook is sent. */
  readonly webhooks?: WebhookPort;
}
