import type { z } from "@hono/zod-openapi";
import { DomainError } from "../../base/errors.ts";
import { userExists } from "../../store/identity/users-closing.ts";
import { serviceNameOf } from "../../store/reservations/hold-matches.ts";
import { confirmTriple, releaseTriple, type TripleRequest } from "../../use-cases/reservations/end-triple.ts";
import { placeTriple, type TripleWish } from "../../use-cases/reservations/place-triple.ts";
import { createReservationParts } from "../../use-cases/reservations/reservation-parts.ts";
import type { ActResult } from "../../use-cases/reservations/reservation-request.ts";
import { reserveAmong, tripleHoldsOf } from "../../use-cases/reservations/triple-holds.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import type { ApiContext } from "../api-env.ts";
import type { Api } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import { markReplayed, readOptionalIdempotencyKey } from "../http/idempotency.ts";
import { readAmount } from "../http/read-money.ts";
import { originOf } from "../http/request-origin.ts";
import { addLegacyRoute, type LegacyParts } from "./add-legacy-route.ts";
import { answerJson, answerOk, OK_ANSWER } from "./legacy-answers.ts";
import { legacyAmount, legacyId } from "./legacy-json.ts";
import { localTime } from "./local-time.ts";
import { legacyRequestKey } from "./request-key.ts";
import { shownReserveSchema, tripleSchema, tripleWithAmountSchema } from "./schemas.ts";

// What the client's Idempotency-Keys are scoped by.
const RESERVE_KEYS = "legacy/reserve";
const PURCHASE_KEYS = "legacy/purchase";
const RELEASE_KEYS = "legacy/release";

type TripleWithAmount = z.output<typeof tripleWithAmountSchema>;

/** Money set aside for a user, service and order, as the earlier service had it: by the three ids, without a reservation's own. */
export function addLegacyReserveRoutes(api: Api, parts: LegacyParts, deps: ApiDeps, checkServices: CheckServices): void {
  const { db, balances, settings } = deps;
  const reservations = createReservationParts(deps);
  const { defaultCurrency: currency, reportTimeZone } = settings;
  const wishOf = (input: TripleWithAmount) => readWish(input, currency);
  const content = (input: TripleWithAmount) => [wishOf(input)];
  const changing = { access: SERVICES, routeClass: "write", input: tripleWithAmountSchema, answers: OK_ANSWER, content } as const;

  addLegacyRoute(
    api,
    parts,
    {
      ...changing,
      method: "post",
      path: "/api/reserve",
      operationId: "legacyReserve",
      keyScope: RESERVE_KEYS,
      newWork: { kind: "reservations" },
      summary: "Set money aside for an order. Use POST /api/v1/reservations",
      description:
        "A second one for the same user, service and order is refused while the money is held or when it was bought; with an Idempotency-Key the key alone decides.",
    },
    async (context, input) => {
      const wish = wishOf(input);
      if (!(await userExists(db, wish.userId))) throw new DomainError("USER_NOT_FOUND");
      const asked = { reservationId: readOptionalIdempotencyKey(context, RESERVE_KEYS)?.id, ...originOf(context) };
      const sold = [{ serviceId: wish.serviceId, pointer: "/service_id" }];
      return answerAct(context, await checkServices.during(sold, () => placeTriple(deps, wish, asked)));
    },
  );

  addLegacyRoute(
    api,
    parts,
    {
      method: "get",
      path: "/api/reserve",
      operationId: "legacyGetReserve",
      summary: "Money set aside for an order. Use GET /api/v1/reservations",
      description: "All three ids must match. What was released or has expired is not there any more.",
      access: SERVICES,
      routeClass: "read",
      input: tripleSchema,
      answers: { type: "application/json", schema: shownReserveSchema, description: "The reserve; every amount in whole units." },
    },
    async (context, { user_id: userId, service_id: serviceId, order_id: orderId }) => {
      const reserve = reserveAmong(await tripleHoldsOf(db, { userId, serviceId, orderId }, currency));
      if (reserve === undefined) throw new DomainError("RESERVATION_NOT_FOUND");
      const { hold, purchased, amountMinor } = reserve;
      const [found, name] = await Promise.all([balances.read(userId), serviceNameOf(db, serviceId)]);
      const availableMinor = found.balances.find((one) => one.currency === currency)?.availableMinor ?? 0n;
      return answerJson(context, {
        order_id: legacyId(orderId),
        user: { id: legacyId(userId), balance: legacyAmount(availableMinor, currency) },
        service: { id: legacyId(serviceId), name: name ?? "" },
        amount: legacyAmount(amountMinor, currency),
        purchased,
        reserved_at: localTime(hold.createdAt, reportTimeZone),
        purchased_at: purchased ? localTime(hold.updatedAt, reportTimeZone) : undefined,
      });
    },
  );

  addLegacyRoute(
    api,
    parts,
    {
      ...changing,
      method: "delete",
      path: "/api/reserve",
      operationId: "legacyReleaseReserve",
      keyScope: RELEASE_KEYS,
      summary: "Give back money set aside for an order. Use POST /api/v1/reservations/{reservationId}/release",
      description: "What is held goes back; another amount than that is refused.",
    },
    async (context, input) => {
      return answerAct(context, await releaseTriple(reservations, requestOf(context, RELEASE_KEYS), wishOf(input), currency));
    },
  );

  addLegacyRoute(
    api,
    parts,
    {
      ...changing,
      method: "post",
      path: "/api/purchase",
      operationId: "legacyPurchase",
      keyScope: PURCHASE_KEYS,
      summary: "Pay with money set aside. Use POST /api/v1/reservations/{reservationId}/confirm",
      description: "The three ids and the amount must be exactly those of the reserve.",
    },
    async (context, input) => {
      return answerAct(context, await confirmTriple(reservations, requestOf(context, PURCHASE_KEYS), wishOf(input), currency));
    },
  );
}

function readWish(input: TripleWithAmount, currency: string): TripleWish {
  const { user_id: userId, service_id: serviceId, order_id: orderId, amount } = input;
  return { userId, serviceId, orderId, amountMinor: readAmount(amount, currency) };
}

function requestOf(context: ApiContext, scope: string): TripleRequest {
  return { ...legacyRequestKey(context, scope), ...originOf(context) };
}

function answerAct(context: ApiContext, { replayed }: ActResult): Response {
  if (replayed) markReplayed(context);
  return answerOk(context);
}
