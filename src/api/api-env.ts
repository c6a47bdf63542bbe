import type { Context } from "hono";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Log } from "../adapters/log.ts";
import type { Principal } from "../contract/identity.ts";
import type { Starters } from "../starters.ts";
import type { BalanceReader } from "../store/balance-reader.ts";
import type { Db } from "../store/database.ts";
import type { Ledger } from "../store/ledger.ts";
import type { Authenticator, Guard, RequestLimits } from "./guard.ts";

/** What a request knows about itself. */
export interface ApiEnv {
  readonly Variables: {
    correlationId: string;
    /** Who asks. Set for every route that is not public. */
    principal: Principal;
    /** The principal's subject: what Idempotency-Keys are scoped by and operations are signed with. */
    caller: string;
    /** Asked by each route before its handler. */
    guard: Guard;
    /** The pattern of the route that took the request, for the log. */
    route: string;
    /** The code of the problem that is answered, for the log. */
    problemCode: string;
  };
}

export type Api = OpenAPIHono<ApiEnv>;
export type ApiContext = Context<ApiEnv>;

/** A part the API stands on. `check` settles within its own deadline and throws when the part does not answer. */
export interface DependencyCheck {
  readonly name: string;
  /** Without a needed part the API is not ready; the others are shown only. */
  readonly needed: boolean;
  readonly check: () => Promise<void>;
}

export interface ApiSettings {
  readonly version: string;
  readonly defaultCurrency: string;
  readonly reportTimeZone: string;
  readonly maxBodyBytes: number;
  readonly reservationTtl: { readonly defaultMs: number; readonly minMs: number; readonly maxMs: number };
}

export interface ApiDeps {
  readonly db: Db;
  readonly ledger: Ledger;
  readonly starters: Starters;
  readonly balances: BalanceReader;
  readonly authenticator: Authenticator;
  readonly limits: RequestLimits;
  readonly log: Log;
  /** Takes one line per request, of fixed fields that hold no secret: it need not look for any, which costs more than the line. */
  readonly requestLog: Log;
  readonly checks: readonly DependencyCheck[];
  readonly settings: ApiSettings;
}
