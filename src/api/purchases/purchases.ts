import { DomainError } from "../../base/errors.ts";
import { getPurchase, listPurchases } from "../../store/ledger/purchases.ts";
import { makePurchase } from "../../use-cases/purchases/make-purchase.ts";
import type { ApiDeps } from "../deps.ts";
import { SERVICES } from "../http/access.ts";
import { SERIAL_ID_SHAPE } from "../http/cursor.ts";
import { definedOnly, filteredPlace, startOfFilteredPage, type FilteredList } from "../http/filtered-cursor.ts";
import { markReplayed } from "../http/idempotency.ts";
import { pageOf } from "../http/page.ts";
import { waitAsked } from "../http/prefer.ts";
import { originOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { orderPath } from "../orders/show-order.ts";
import { createPurchaseRoute, listPurchasesRoute, purchaseFiltersSchema, readPurchaseRoute } from "./purchases-schemas.ts";
import { identityOf, PURCHASE_KEYS, readPurchase } from "./read-purchase.ts";
import { showMadePurchase, showPurchase } from "./show-purchase.ts";

const LIST: FilteredList = { name: "purchases", schema: purchaseFiltersSchema, shapes: [SERIAL_ID_SHAPE] };

/** Purchases: made here, or told by Kafka. */
export function addPurchaseRoutes(routes: Routes, deps: ApiDeps): void {
  const { db } = deps;

  routes.add(
    createPurchaseRoute,
    {
      access: SERVICES,
      idempotency: { route: PURCHASE_KEYS, required: false, memory: "operation" },
      newWork: { kind: "money", waitsOutside: (asked) => asked.some((part) => "card_number" in part) },
      problems: [
        "INVALID_AMOUNT",
        "INVALID_CURRENCY",
        "INVALID_CARD",
        "CARD_DATA_REFUSED",
        "INSUFFICIENT_FUNDS",
        "PAYMENT_DECLINED",
        "ORDER_CANCELLED",
        "PSP_UNAVAILABLE",
      ],
    },
    async (context) => {
      const asked = readPurchase(context.req.valid("json"));
      const waitMs = asked.card === undefined ? 0 : waitAsked(context);
      const made = await makePurchase(deps, { ...asked.purchase, ...identityOf(context), card: asked.card, ...originOf(context) }, waitMs);
      if (made.replayed) markReplayed(context);
      if (made.decided) return context.json(showMadePurchase(asked, made), 201);
      return context.json({ status: "pending" as const, order_id: made.orderId, links: { self: orderPath(made.orderId) } }, 202);
    },
  );

  routes.add(readPurchaseRoute, { access: SERVICES, problems: ["PURCHASE_NOT_FOUND"] }, async (context) => {
    const { purchaseId } = context.req.valid("param");
    const purchase = SERIAL_ID_SHAPE.test(purchaseId) ? await getPurchase(db, purchaseId) : undefined;
    if (purchase === undefined) throw new DomainError("PURCHASE_NOT_FOUND");
    return context.json(showPurchase(purchase), 200);
  });

  routes.add(listPurchasesRoute, { access: SERVICES, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor, ...named } = context.req.valid("query");
    const { filters, position } = startOfFilteredPage(LIST, definedOnly(named), cursor);
    const { user_id: userId } = purchaseFiltersSchema.parse(filters);
    const [afterId] = position;
    const rows = await listPurchases(db, { userId, limit, ...(afterId === undefined ? {} : { afterId }) });
    const { page, nextCursor } = pageOf(rows, limit, LIST.name, ({ purchaseId }) => filteredPlace(filters, [purchaseId]));
    return context.json({ purchases: page.map(showPurchase), ...(nextCursor === undefined ? {} : { next_cursor: nextCursor }) }, 200);
  });
}
