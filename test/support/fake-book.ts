import { activityInfo } from "@temporalio/activity";
import { ApplicationFailure } from "@temporalio/common";
import type { Activities } from "../../activities/index.ts";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { OrderOutcome, OrderSagaInput, SagaState } from "../../src/contract/orders.ts";
import type { HoldStatus, ReservationState } from "../../src/contract/reservations.ts";
import { isFinal, mayMove } from "../../src/domain/orders/order-states.ts";
import { closedReservationCode } from "../../src/domain/reservations/reservation-states.ts";

/** The steps that workflows of orders and reservations are made of. */
export type Step =
  | "createOrder"
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
  readonly script: Script;
  readonly decided: Map<string, ErrorCode | "done">;
}

export interface FakeBook {
  /** Opens the page of the workflow with this id, with the money that its user has. */
  open(id: string, options: { readonly fundsMinor: bigint; readonly script?: Script }): Page;
  readonly activities: Pick<Activities, Step>;
}

/** A ledger and a store in memory, with the guards of the real ones. Their calls behave as each page's script says. */
export function createFakeBook(): FakeBook {
  const pages = new Map<string, Page>();
  const pageOf = (id: string): Page => {
    const page = pages.get(id);
    if (page === undefined) throw ApplicationFailure.nonRetryable(`nobody opened a page for ${id}`);
    return page;
  };

  const call = async <Result>(page: Page, step: Step, effect: () => Result): Promise<Result> => {
    const calls = (page.calls[step] ?? 0) + 1;
    page.calls[step] = calls;
    const behaviour = page.script[step]?.[calls - 1] ?? "ok";
    if (behaviour === "away") throw away(step);
    if (behaviour === "broken") throw new Error(`a bug in ${step}`);
    if (typeof behaviour === "object") throw refusal(behaviour.refused);
    if (typeof behaviour === "function") {
      let answer: { result: Result } | undefined;
      await behaviour(() => void (answer ??= { result: effect() }));
      return (answer ??= { result: effect() }).result;
    }
    const result = effect();
    if (behaviour === "lost") throw away(step);
    return result;
  };
  /** As in the ledger, the first result under a key is the result for ever. */
  const once = (page: Page, key: string, name: string, decide: () => ErrorCode | undefined): void => {
    const known = page.decided.get(key);
    const decision = known ?? decide() ?? "done";
    page.decided.set(key, decision);
    if (decision !== "done") throw refusal(decision);
    if (known === undefined) page.effects.push(name);
  };

  const open: FakeBook["open"] = (id, { fundsMinor, script = {} }) => {
    const page: Page = {
      availableMinor: fundsMinor,
      heldMinor: 0n,
      revenueMinor: 0n,
      captures: 0,
      order: undefined,
      card: { authorised: false, fenced: false, captured: false, refunded: false },
      paused: false,
      settlements: [],
      hold: undefined,
      effects: [],
      calls: {},
      script,
      decided: new Map(),
    };
    pages.set(id, page);
    return page;
  };
  return {
    open,
    activities: { ...orderSteps(pageOf, call, once), ...cardSteps(pageOf, call, once), ...reservationSteps(pageOf, call, once) },
  };
}

type PageOf = (id: string) => Page;
type Call = <Result>(page: Page, step: Step, effect: () => Result) => Promise<Result>;
type Once = (page: Page, key: string, name: string, decide: () => ErrorCode | undefined) => void;

function orderSteps(pageOf: PageOf, call: Call, once: Once) {
  const standing = ({ order }: Page, created: boolean) => {
    if (order === undefined) throw new Error("there is no row");
    const { state, requestHash, failure } = order;
    const status: OrderOutcome["status"] = state === "COMPLETED" ? "CONFIRMED" : state === "FAILED" ? "CANCELLED" : "PENDING";
    return {
      created,
      sagaState: state,
      status,
      requestHash,
      ...(failure === undefined ? {} : { failureCode: failure.code, failureMessage: failure.message }),
    };
  };
  return {
    createOrder: (order: OrderSagaInput) =>
      call(pageOf(order.orderId), "createOrder", () => {
        const page = pageOf(order.orderId);
        const created = page.order === undefined;
        page.order ??= { state: "STARTED", requestHash: order.requestHash };
        if (created) page.effects.push("createOrder");
        return standing(page, created);
      }),
    holdOrder: ({ order }: { order: OrderSagaInput }) =>
      call(pageOf(order.orderId), "holdOrder", () => {
        const page = pageOf(order.orderId);
        const amountMinor = BigInt(order.totalMinor);
        once(page, "hold", "holdOrder", () => {
          if (page.order?.state !== "STARTED") return page.order === undefined ? "ORDER_NOT_FOUND" : "ORDER_STATE_CONFLICT";
          if (page.availableMinor < amountMinor) return "INSUFFICIENT_FUNDS";
          page.availableMinor -= amountMinor;
          page.heldMinor += amountMinor;
          page.order.state = "PAYMENT_PENDING";
          return undefined;
        });
      }),
    captureOrder: (order: OrderSagaInput) =>
      call(pageOf(order.orderId), "captureOrder", () => {
        const page = pageOf(order.orderId);
        if (page.paused) throw refusal("PAUSED");
        once(page, "capture", "captureOrder", () => {
          if (page.order?.state !== "PAYMENT_PENDING") return page.order === undefined ? "ORDER_NOT_FOUND" : "ORDER_STATE_CONFLICT";
          page.captures += 1;
          page.revenueMinor += page.heldMinor;
          page.heldMinor = 0n;
          page.order.state = "COMPLETED";
          return undefined;
        });
      }),
    beginCompensation: ({ order, failure }: { order: OrderSagaInput; failure: { code: string; message: string } }) =>
      call(pageOf(order.orderId), "beginCompensation", () => {
        const page = pageOf(order.orderId);
        const created = page.order === undefined;
        page.order ??= { state: "STARTED", requestHash: order.requestHash };
        if (page.order.requestHash === order.requestHash && mayMove(page.order.state, "COMPENSATING")) {
          page.order.state = "COMPENSATING";
          page.order.failure = failure;
          page.effects.push("beginCompensation");
        }
        return standing(page, created);
      }),
    releaseOrder: (order: OrderSagaInput) =>
      call(pageOf(order.orderId), "releaseOrder", () => {
        const page = pageOf(order.orderId);
        if (page.heldMinor === 0n) return;
        page.availableMinor += page.heldMinor;
        page.heldMinor = 0n;
        page.effects.push("releaseOrder");
      }),
    cancelOrder: ({ orderId }: { orderId: string }) =>
      call(pageOf(orderId), "cancelOrder", () => {
        const { order, effects } = pageOf(orderId);
        if (order?.state === "FAILED") return;
        if (order === undefined || isFinal(order.state) || !mayMove(order.state, "FAILED")) throw refusal("ORDER_STATE_CONFLICT");
        order.state = "FAILED";
        effects.push("cancelOrder");
      }),
  } satisfies Partial<Activities>;
}

/** The steps of a card's payment over a provider's book of its own. */
function cardSteps(pageOf: PageOf, call: Call, once: Once) {
  const refund = (page: Page): boolean => {
    if (page.card.captured && !page.card.refunded) {
      page.card.refunded = true;
      page.effects.push("refundCard");
    }
    return page.card.captured;
  };
  const fence = (page: Page): void => {
    if (page.card.fenced) return;
    page.card.fenced = true;
    page.effects.push("cancelCardAuthorisation");
  };
  return {
    authoriseCard: ({ order: { orderId } }) =>
      call(pageOf(orderId), "authoriseCard", () => {
        const page = pageOf(orderId);
        once(page, "authorise", "authoriseCard", () => {
          if (page.card.fenced) return "PAYMENT_DECLINED";
          page.card.authorised = true;
          return undefined;
        });
        return { reference: "authorisation" };
      }),
    awaitCapture: ({ orderId }) =>
      call(pageOf(orderId), "awaitCapture", () => {
        const { order, effects } = pageOf(orderId);
        if (order?.state === "PAYMENT_PENDING") return;
        if (order?.state !== "STARTED") throw refusal("ORDER_STATE_CONFLICT");
        order.state = "PAYMENT_PENDING";
        effects.push("awaitCapture");
      }),
    captureCard: ({ order: { orderId } }) =>
      call(pageOf(orderId), "captureCard", () => {
        const page = pageOf(orderId);
        if (page.paused) throw refusal("PAUSED");
        once(page, "capture", "captureCard", () => {
          if (!page.card.authorised || page.card.fenced) return "PAYMENT_DECLINED";
          page.card.captured = true;
          page.captures += 1;
          return undefined;
        });
        return { reference: "capture" };
      }),
    chargeOrder: ({ order: { orderId, totalMinor } }) =>
      call(pageOf(orderId), "chargeOrder", () => {
        const page = pageOf(orderId);
        once(page, "charge", "chargeOrder", () => {
          if (page.order?.state !== "PAYMENT_PENDING") return "ORDER_STATE_CONFLICT";
          page.order.state = "COMPLETED";
          page.revenueMinor += BigInt(totalMinor);
          return undefined;
        });
      }),
    refundCard: ({ order: { orderId } }) =>
      call(pageOf(orderId), "refundCard", () => void (refund(pageOf(orderId)) || fence(pageOf(orderId)))),
    cancelCardAuthorisation: ({ order: { orderId } }) =>
      call(pageOf(orderId), "cancelCardAuthorisation", () => {
        const page = pageOf(orderId);
        if (!refund(page)) fence(page);
      }),
    noteStuck: ({ orderId }) => call(pageOf(orderId), "noteStuck", () => {}),
    settleByHand: ({ orderId, step, act, reason, actor }) =>
      call(pageOf(orderId), "settleByHand", () => void pageOf(orderId).settlements.push(`${act} ${step} by ${actor}: ${reason}`)),
    // In this book the user has the id of the order.
    untilUnpaused: ({ userId }) =>
      call(pageOf(userId), "untilUnpaused", () => {
        if (pageOf(userId).paused)
          throw ApplicationFailure.create({ type: "PAUSED", message: "paused", nextRetryDelay: "100 milliseconds" });
      }),
  } satisfies Partial<Activities>;
}

/** How far a pause moves the end of a hold on, each time that the end is reached. */
const PAUSE_STEP_MS = 60_000;

function reservationSteps(pageOf: PageOf, call: Call, once: Once) {
  const stateOf = (reservationId: string, currency: string): ReservationState => {
    const { hold } = pageOf(reservationId);
    if (hold === undefined) throw refusal("RESERVATION_NOT_FOUND");
    const { status, amountMinor, capturedMinor, releasedMinor, expiresAt } = hold;
    return {
      reservationId,
      status,
      currency,
      amountMinor: amountMinor.toString(),
      capturedMinor: capturedMinor.toString(),
      releasedMinor: releasedMinor.toString(),
      expiresAt,
    };
  };
  const giveBack = (page: Page, status: "released" | "expired"): ErrorCode | undefined => {
    const { hold } = page;
    if (hold === undefined) return "RESERVATION_NOT_FOUND";
    if (hold.status !== "held") return closedReservationCode(hold.status);
    const restMinor = hold.amountMinor - hold.capturedMinor - hold.releasedMinor;
    page.heldMinor -= restMinor;
    page.availableMinor += restMinor;
    page.hold = { ...hold, status, releasedMinor: hold.releasedMinor + restMinor };
    return undefined;
  };
  const moveEnd = (page: Page, endMs: number): ErrorCode | undefined => {
    if (page.hold === undefined) return "RESERVATION_NOT_FOUND";
    if (page.hold.status !== "held") return closedReservationCode(page.hold.status);
    page.hold = { ...page.hold, expiresAt: new Date(endMs).toISOString() };
    return undefined;
  };
  const capture = (page: Page, wantedMinor: bigint | undefined): ErrorCode | undefined => {
    const { hold } = page;
    if (hold === undefined) return "RESERVATION_NOT_FOUND";
    if (hold.status !== "held") return closedReservationCode(hold.status);
    const restMinor = hold.amountMinor - hold.capturedMinor - hold.releasedMinor;
    const amountMinor = wantedMinor ?? restMinor;
    if (amountMinor > restMinor) return "AMOUNT_EXCEEDS_HOLD";
    page.captures += 1;
    page.heldMinor -= amountMinor;
    page.revenueMinor += amountMinor;
    page.hold = { ...hold, status: amountMinor === restMinor ? "confirmed" : "held", capturedMinor: hold.capturedMinor + amountMinor };
    return undefined;
  };
  return {
    placeHold: ({ reservation: { reservationId, amountMinor, currency }, expiresAt }) =>
      call(pageOf(reservationId), "placeHold", () => {
        const page = pageOf(reservationId);
        once(page, "hold", "placeHold", () => {
          const minor = BigInt(amountMinor);
          if (page.availableMinor < minor) return "INSUFFICIENT_FUNDS";
          page.availableMinor -= minor;
          page.heldMinor += minor;
          page.hold = { status: "held", amountMinor: minor, capturedMinor: 0n, releasedMinor: 0n, expiresAt };
          return undefined;
        });
        return stateOf(reservationId, currency);
      }),
    captureHold: ({ reservation: { reservationId, currency }, confirm: { requestKey, amountMinor } }) =>
      call(pageOf(reservationId), "captureHold", () => {
        const page = pageOf(reservationId);
        once(page, requestKey, "captureHold", () => capture(page, amountMinor === undefined ? undefined : BigInt(amountMinor)));
        return stateOf(reservationId, currency);
      }),
    releaseHold: ({ reservation: { reservationId, currency }, release: { requestKey } }) =>
      call(pageOf(reservationId), "releaseHold", () => {
        const page = pageOf(reservationId);
        once(page, requestKey, "releaseHold", () => giveBack(page, "released"));
        return stateOf(reservationId, currency);
      }),
    endHold: ({ reservation: { reservationId, currency }, effect, expiresAt }) =>
      call(pageOf(reservationId), "endHold", () => {
        const page = pageOf(reservationId);
        if (page.hold === undefined) return undefined;
        const isDue = effect === "release" || Date.parse(page.hold.expiresAt) <= Date.parse(expiresAt);
        if (page.hold.status === "held" && isDue && effect === "expire" && page.paused) {
          page.hold = { ...page.hold, expiresAt: new Date(Date.parse(page.hold.expiresAt) + PAUSE_STEP_MS).toISOString() };
        } else if (page.hold.status === "held" && isDue) {
          giveBack(page, effect === "expire" ? "expired" : "released");
          page.effects.push(effect);
        }
        return stateOf(reservationId, currency);
      }),
    extendHold: ({ reservation: { reservationId, currency }, extend: { requestKey, expiresAt } }) =>
      call(pageOf(reservationId), "extendHold", () => {
        const page = pageOf(reservationId);
        once(page, requestKey, "extendHold", () => moveEnd(page, Math.max(Date.parse(expiresAt), Date.parse(page.hold?.expiresAt ?? ""))));
        return stateOf(reservationId, currency);
      }),
    advanceHoldClock: ({ reservation: { reservationId, currency }, advance: { requestKey }, expiresAt }) =>
      call(pageOf(reservationId), "advanceHoldClock", () => {
        const page = pageOf(reservationId);
        once(page, requestKey, "advanceHoldClock", () => moveEnd(page, Date.parse(expiresAt)));
        return stateOf(reservationId, currency);
      }),
    tellHoldExpiring: ({ reservationId }) =>
      call(pageOf(reservationId), "tellHoldExpiring", () => {
        const page = pageOf(reservationId);
        if (page.hold?.status === "held") page.effects.push(`expiring ${page.hold.expiresAt}`);
      }),
  } satisfies Pick<
    Activities,
    "placeHold" | "captureHold" | "releaseHold" | "endHold" | "extendHold" | "advanceHoldClock" | "tellHoldExpiring"
  >;
}

/** Fast retries follow at once, so that a table of faults does not take minutes; endless retries keep the policy of their proxy. */
function away(step: Step): ApplicationFailure {
  const fast = activityInfo().isLocal;
  return ApplicationFailure.create({
    type: "UNAVAILABLE",
    message: `${step} is away`,
    ...(fast ? { nextRetryDelay: "2 milliseconds" } : {}),
  });
}

function refusal(code: ErrorCode): ApplicationFailure {
  return ApplicationFailure.nonRetryable(code, code);
}
