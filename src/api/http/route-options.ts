import type { Handler } from "hono";
import type { ErrorCode } from "../../base/errors.ts";
import type { ApiContext, ApiEnv } from "../api-env.ts";
import type { Access } from "./access.ts";
import type { NewWork } from "./admission.ts";
import type { RequestMemory } from "./idempotent-answers.ts";
import type { RouteClass } from "./route-class.ts";

/** How a route takes an Idempotency-Key. */
export interface IdempotencyOptions {
  /** What the key is scoped by besides the caller: the text the handler gives to `readIdempotencyKey`. */
  readonly route: string;
  readonly required: boolean;
  readonly memory: RequestMemory;
  /** True when 202 is the final answer. */
  readonly keepAccepted?: boolean;
  /** The part of the request that its hash is made of; the whole request without it. Nothing of a card may be kept, not even hashed. */
  readonly content?: (asked: readonly object[]) => readonly unknown[];
}

/** What a route says about itself besides its schemas. */
export interface RouteOptions {
  readonly access: Access;
  /** The allowance its requests count against. Without it the method tells: GET is a read, every other method a write. */
  readonly routeClass?: RouteClass;
  /**
   * The codes that this route alone may answer. Those that follow from its access, its schemas and its Idempotency-Key are added, and so
   * are the outages: UNAVAILABLE where a token is needed, DEADLINE_EXCEEDED where requests are counted.
   */
  readonly problems?: readonly ErrorCode[];
  /** True when no body means `{}`. */
  readonly bodyOptional?: boolean;
  readonly idempotency?: IdempotencyOptions;
  /** There when a request begins new work, which is refused with OVERLOADED while more is under way than can be answered in time. */
  readonly newWork?: NewWork;
  /** True for a caller who may pass whatever their role is: the metrics' collector with its own token. */
  readonly alsoFor?: (context: ApiContext) => boolean;
  /**
   * The handlers of paths that end in a literal, such as `/x/{id}.csv`, by that ending. The router takes them for `/x/{id}`, so the
   * route `/x/{id}` names them here and hands their requests on.
   */
  readonly endings?: Readonly<Record<string, Handler<ApiEnv>>>;
}
