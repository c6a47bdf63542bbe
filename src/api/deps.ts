import type { Context } from "hono";
import type { Log } from "../adapters/log.ts";
import type { Metrics } from "../adapters/metrics/metrics.ts";
import type { Psp } from "../adapters/psp/psp.ts";
import type { ProviderEvents } from "../adapters/psp/stripe/stripe-events.ts";
import type { OrderCache } from "../adapters/redis/order-cache.ts";
import type { Starters } from "../starters/index.ts";
import type { BalanceReader } from "../store/ledger/balance-reader.ts";
import type { Ledger } from "../store/ledger/ledger.ts";
import type { OrderStamps } from "../store/orders/order-stamps.ts";
import type { Db } from "../store/postgres/database.ts";
import type { Identity } from "../use-cases/identity/identity.ts";
import type { Admission } from "./http/admission.ts";
import type { Authenticator, RequestLimits } from "./http/guard.ts";
import type { IdempotentAnswers } from "./http/idempotent-answers.ts";

/** A part the API stands on. `check` settles within its own deadline and throws when the part does not answer. */
export interface DependencyCheck {
  readonly name: string;
  /** Without a needed part the API is not ready; the others are shown only. */
  readonly needed: boolean;
  readonly check: () => Promise<void>;
  /** More about the part, for people. What it cannot tell it leaves out. Never throws. */
  readonly details?: () => Promise<Readonly<Record<string, string>>>;
}

export interface ApiSettings {
  readonly version: string;
  readonly defaultCurrency: string;
  readonly reportTimeZone: string;
  readonly maxBodyBytes: number;
  /** Where clients reach the API, without a slash at the end; without it links name the address the request came in at. */
  readonly serverUrl?: string;
  /** Origins whose pages may read answers; none without. */
  readonly corsOrigins?: readonly string[];
  /** The token with which a collector may read the metrics, besides admins. */
  readonly metricsToken?: string;
  /** True with AUTH_MODE=off: then, against DNS rebinding, only requests to a loopback name are taken. */
  readonly onlyLocalHosts?: boolean;
  /** How often an open stream sends a heartbeat and has its token checked again. */
  readonly streamHeartbeatMs?: number;
  /** How many streams may be open at once. */
  readonly streams?: { readonly perSubject: number; readonly inAll: number };
  /** True when a trusted proxy says that the client came over https. */
  readonly isSecure?: (context: Context) => boolean;
  readonly reservationTtl: {
    readonly defaultMs: number;
    readonly minMs: number;
    readonly maxMs: number;
    /** How long before the end `reservation.expiring` is sent. */
    readonly expiringMs: number;
    /** How long after its expiry a reservation can still be confirmed, which is a rescue; 0 is never. */
    readonly graceMs: number;
  };
  /** How long an order waits for the payment provider, how often a compensation is tried before it is parked, and who pays. */
  readonly orders?: {
    readonly paymentDeadlineMs: number;
    readonly compensationFastRetries: number;
    /** There when another service pays the orders. */
    readonly paidBy?: "saga-commands";
  };
  /** True outside production: timers can be moved by HTTP. */
  readonly testClock?: boolean;
  /** The topics that events are read from. */
  readonly eventTopics?: readonly string[];
  /** Where events may be sent besides public https addresses, and the key that encrypts the secrets of webhooks. */
  readonly webhooks?: { readonly allowHttp: boolean; readonly allowPrivate: boolean; readonly encryptionKey?: Buffer };
}

export interface ApiDeps {
  readonly db: Db;
  /** For statements that read everything: connections with a deadline of minutes. Without it `db`. */
  readonly auditDb?: Db;
  /** The payment provider; without one, cards are answered with PSP_UNAVAILABLE. */
  readonly psp?: Psp;
  /** Reads the provider's signed events; without it there is no route for them. */
  readonly providerEvents?: ProviderEvents;
  readonly ledger: Ledger;
  readonly starters: Starters;
  readonly balances: BalanceReader;
  /**
   * Refuses a corrected value that the bridge would refuse, so that its sender is told at once. Without it only the bridge refuses.
   * Throws: INVALID_EVENT, CARD_DATA_REFUSED, REDRIVE_CONFLICT.
   */
  readonly checkCorrection?: (correction: {
    readonly deadLetterId: string;
    readonly topic: string;
    readonly value: Buffer;
  }) => Promise<void>;
  readonly authenticator: Authenticator;
  readonly identity: Identity;
  readonly limits: RequestLimits;
  /** Lets new work in. Without it nothing is refused for want of time. */
  readonly admission?: Admission | undefined;
  readonly firstAnswers: IdempotentAnswers;
  readonly orderCache: OrderCache;
  readonly orderStamps: OrderStamps;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Takes one line per request. Its fields are fixed and hold no secret, so the log's search for secrets, which costs more than the line, is left out. */
  readonly requestLog: Log;
  readonly checks: readonly DependencyCheck[];
  readonly settings: ApiSettings;
}
