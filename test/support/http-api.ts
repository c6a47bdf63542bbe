import { randomUUID } from "node:crypto";
import { SILENT_LOG, type Log } from "../../src/adapters/log.ts";
import { NO_METRICS, type Metrics } from "../../src/adapters/metrics/metrics.ts";
import type { Psp } from "../../src/adapters/psp/psp.ts";
import type { ProviderEvents } from "../../src/adapters/psp/stripe/stripe-events.ts";
import { createAnswerCache } from "../../src/adapters/redis/answer-cache.ts";
import { createOrderCache } from "../../src/adapters/redis/order-cache.ts";
import { openRedis, type RedisLink } from "../../src/adapters/redis/redis.ts";
import type { Api } from "../../src/api/api-env.ts";
import { createApp } from "../../src/api/app.ts";
import type { ApiDeps, ApiSettings, DependencyCheck } from "../../src/api/deps.ts";
import type { Admission } from "../../src/api/http/admission.ts";
import type { Authenticator, RequestLimits } from "../../src/api/http/guard.ts";
import { createIdempotentAnswers } from "../../src/api/http/idempotent-answers.ts";
import { DomainError } from "../../src/base/errors.ts";
import { LOCAL_PRINCIPAL } from "../../src/contract/identity.ts";
import type { Starters } from "../../src/starters/index.ts";
import { createAnswerBook } from "../../src/store/idempotency-answers.ts";
import { createBalanceReader } from "../../src/store/ledger/balance-reader.ts";
import { createLedger, type Ledger } from "../../src/store/ledger/ledger.ts";
import { createOrderStamps } from "../../src/store/orders/order-stamps.ts";
import { createDatabase, type Db } from "../../src/store/postgres/database.ts";
import type { Identity } from "../../src/use-cases/identity/identity.ts";
import { openBalanceCache, type BalanceCacheParts, type BalanceCacheSettings } from "../../workers/parts/balance-cache-parts.ts";
import { createOpenApiCheck } from "./open-api-check.ts";
import { createTestIdentity } from "./test-identity.ts";

export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON, typed loosely on purpose: tests assert what they expect of it. */
  readonly body: Record<string, unknown>;
}

export interface CallOptions {
  /** Sent as JSON; `rawBody` is sent verbatim. */
  readonly body?: unknown;
  readonly rawBody?: string | Uint8Array | ReadableStream;
  readonly headers?: Record<string, string>;
  /** The Idempotency-Key. By default a fresh key; with null the request has none. */
  readonly key?: string | null;
}

export interface TestApi {
  readonly app: Api;
  readonly db: Db;
  readonly ledger: Ledger;
  /** Compares cached balances with the books, as the self-audit does. */
  readonly compareCachedBalances: BalanceCacheParts["compare"];
  /** The gate of cached balances. Throws: UNAVAILABLE. */
  readonly gate: BalanceCacheParts["gate"];
  /** Sends a request to the app. Throws: Error when the OpenAPI document does not describe the answer. */
  call(method: string, path: string, options?: CallOptions): Promise<TestAnswer>;
  close(): Promise<void>;
}

export const TEST_SETTINGS: ApiSettings = {
  version: "0.0.0-test",
  defaultCurrency: "RUB",
  reportTimeZone: "Europe/Moscow",
  maxBodyBytes: 65_536,
  reservationTtl: { defaultMs: 600_000, minMs: 100, maxMs: 604_800_000, expiringMs: 60_000, graceMs: 0 },
  testClock: true,
};

/** The API over a real database, with `starters` in place of Temporal. Without them every call of Temporal fails as in an outage. */
export function createTestApi(options: {
  readonly databaseUrl: string;
  readonly starters?: Partial<Starters>;
  readonly authenticator?: Authenticator;
  readonly identity?: Identity;
  readonly limits?: RequestLimits;
  /** Without one all new work is let in. */
  readonly admission?: Admission;
  /** Without an address the API runs without Redis. */
  readonly redis?: RedisLink;
  /** Balances are read from Redis, with these times. */
  readonly balanceCache?: Pick<BalanceCacheSettings, "times" | "everyMs" | "steadyMs">;
  readonly metrics?: Metrics;
  readonly psp?: Psp;
  readonly providerEvents?: ProviderEvents;
  readonly log?: Log;
  readonly checks?: readonly DependencyCheck[];
  readonly deadlineMs?: number;
  readonly settings?: Partial<ApiSettings>;
  readonly checkCorrection?: NonNullable<ApiDeps["checkCorrection"]>;
}): TestApi {
  const deadlineMs = options.deadlineMs ?? 10_000;
  const database = createDatabase({ url: options.databaseUrl, name: "test-api", laneCount: 4, deadlineMs });
  const redis = options.redis ?? openRedis({ url: undefined, logger: SILENT_LOG });
  const balanceCache = openBalanceCache({ database, redis, logger: SILENT_LOG, deadlineMs, ...options.balanceCache });
  const ledger = balanceCache.marked(createLedger({ url: options.databaseUrl, name: "test-ledger", laneCount: 2, deadlineMs }));
  const deps: ApiDeps = {
    db: database.db,
    ledger,
    ...(options.psp === undefined ? {} : { psp: options.psp }),
    ...(options.providerEvents === undefined ? {} : { providerEvents: options.providerEvents }),
    starters: { ...noTemporal(), ...options.starters },
    balances:
      options.balanceCache === undefined ? createBalanceReader(database.db) : balanceCache.openReader(options.metrics ?? NO_METRICS),
    ...(options.checkCorrection === undefined ? {} : { checkCorrection: options.checkCorrection }),
    identity: options.identity ?? createTestIdentity(),
    authenticator: options.authenticator ?? { authenticate: async () => LOCAL_PRINCIPAL },
    limits: options.limits ?? { byAddress: async () => {}, bySubject: async () => {} },
    admission: options.admission,
    firstAnswers: createIdempotentAnswers({
      book: createAnswerBook(database.db),
      cache: createAnswerCache(redis),
      log: options.log ?? SILENT_LOG,
    }),
    orderCache: createOrderCache(redis),
    orderStamps: createOrderStamps(database.db),
    metrics: options.metrics ?? NO_METRICS,
    log: options.log ?? SILENT_LOG,
    requestLog: options.log ?? SILENT_LOG,
    checks: options.checks ?? [],
    settings: { ...TEST_SETTINGS, ...options.settings },
  };
  const app = createApp(deps);
  const describes = createOpenApiCheck(app);
  return {
    app,
    db: database.db,
    ledger,
    compareCachedBalances: balanceCache.compare,
    gate: balanceCache.gate,
    async call(method, path, { body, rawBody, headers, key = randomUUID() } = {}) {
      const hasBody = body !== undefined || rawBody !== undefined;
      const payload = rawBody ?? JSON.stringify(body);
      const response = await app.request(path, {
        method,
        ...(hasBody ? { body: payload } : {}),
        ...(rawBody instanceof ReadableStream ? { duplex: "half" } : {}),
        headers: {
          ...(hasBody ? { "content-type": "application/json" } : {}),
          ...(typeof payload === "string" ? { "content-length": String(Buffer.byteLength(payload)) } : {}),
          ...(key === null || method === "GET" ? {} : { "idempotency-key": key }),
          ...headers,
        },
      });
      const text = await response.text();
      const contentType = response.headers.get("content-type") ?? "";
      const json = (contentType.includes("json") ? JSON.parse(text) : {}) as Record<string, unknown>;
      const misfits = describes({ method, path, status: response.status, contentType, body: json });
      if (misfits.length > 0) throw new Error(`not as documented: ${misfits.join("; ")}\n${text.slice(0, 1_000)}`);
      return { status: response.status, headers: response.headers, text, body: json };
    },
    async close() {
      await Promise.all([balanceCache.close(), database.close(), ledger.close()]);
    },
  };
}

function noTemporal(): Starters {
  const unavailable = () => Promise.reject(new DomainError("UNAVAILABLE", "no Temporal in this test"));
  return {
    startOrder: unavailable,
    cancelOrder: unavailable,
    orderStatus: unavailable,
    orderUndoPlan: unavailable,
    actOnOrder: unavailable,
    refundStatus: unavailable,
    actOnRefund: unavailable,
    advanceOrder: unavailable,
    startRefund: unavailable,
    placeReservation: unavailable,
    confirmReservation: unavailable,
    releaseReservation: unavailable,
    extendReservation: unavailable,
    advanceReservationClock: unavailable,
    restartReservation: unavailable,
    restartOrder: unavailable,
    isOpen: unavailable,
    reservationStatus: unavailable,
    startReport: unavailable,
    closeMonth: unavailable,
    reportProgress: unavailable,
    runEventBatch: unavailable,
    replyToOrder: unavailable,
    tellProviderNews: unavailable,
    followSagaRefund: unavailable,
    replyToRefund: unavailable,
    runSagaCommand: unavailable,
    userOfOrder: unavailable,
    orderRequestHash: unavailable,
  };
}
