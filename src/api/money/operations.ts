import { DomainError } from "../../base/errors.ts";
import type { OperationListInput } from "../../store/ledger/operation-list-statement.ts";
import { createOperationLists, type ListedOperation } from "../../store/ledger/operation-list.ts";
import { getOperation, type OperationRecord } from "../../store/ledger/operations.ts";
import type { Db } from "../../store/postgres/database.ts";
import { decideAgain, findRefusedEvent } from "../../use-cases/purchases/decide-again.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS, onlyUserOf, OWN_DATA, requireOwn } from "../http/access.ts";
import { SERIAL_ID_SHAPE } from "../http/cursor.ts";
import { definedOnly, filteredPlace, startOfFilteredPage, type FilteredList, type Filters } from "../http/filtered-cursor.ts";
import { languageAsked } from "../http/language.ts";
import { noteAct } from "../http/note-act.ts";
import { pageOf } from "../http/page.ts";
import { readCurrency } from "../http/read-money.ts";
import { originOf } from "../http/request-origin.ts";
import type { Routes } from "../http/routes.ts";
import { tellOperation } from "./operation-story.ts";
import {
  decideOperationAgainRoute,
  listOperationsRoute,
  operationFiltersSchema,
  readOperationRoute,
  whyOperationRoute,
} from "./operations-schemas.ts";
import { showListedOperation, showOperation } from "./show-operation.ts";

const CURRENCY_SHAPE = /^[A-Z]{3}$/;
const AMOUNT_SHAPE = /^(?:0|[1-9]\d{0,17})$/;
const DEFAULTS = { sort: "-date", includeRefused: "false" } as const satisfies Filters;

/** A user's history. Its places are currency, amount and id, whatever it is sorted by. */
const listOf = (userId: string): FilteredList => ({
  name: `operations of ${userId}`,
  schema: operationFiltersSchema,
  shapes: [CURRENCY_SHAPE, AMOUNT_SHAPE, SERIAL_ID_SHAPE],
  defaults: DEFAULTS,
});

/** Histories of users, and single operations with the reason for them. */
export function addOperationRoutes(routes: Routes, { db, ledger }: ApiDeps): void {
  const lists = createOperationLists(db);
  routes.add(listOperationsRoute, { access: OWN_DATA, problems: ["NOT_FOUND", "INVALID_CURSOR", "INVALID_CURRENCY"] }, async (context) => {
    const { userId } = context.req.valid("param");
    requireOwn(context, userId, "NOT_FOUND");
    const { limit, cursor, ...named } = context.req.valid("query");
    const list = listOf(userId);
    const { filters, position } = startOfFilteredPage(list, definedOnly(named), cursor);
    const rows = await lists.read({ userId, limit, ...toInput(filters), ...placeOf(position) });
    const { page, nextCursor } = pageOf(rows, limit, list.name, (row) => filteredPlace(filters, positionOf(row)));
    return context.json({ userId, operations: page.map(showListedOperation), nextCursor }, 200);
  });

  routes.add(readOperationRoute, { access: OWN_DATA, problems: ["OPERATION_NOT_FOUND"] }, async (context) =>
    context.json(showOperation(await readOwn(db, context, context.req.valid("param").operationId)), 200),
  );

  routes.add(
    decideOperationAgainRoute,
    { access: ADMINS, problems: ["OPERATION_NOT_FOUND", "ACT_NOT_POSSIBLE", "INSUFFICIENT_FUNDS"] },
    async (context) => {
      const { operationId } = context.req.valid("param");
      if (!SERIAL_ID_SHAPE.test(operationId)) throw new DomainError("OPERATION_NOT_FOUND");
      const { reason } = context.req.valid("json");
      const event = await findRefusedEvent(db, operationId);
      await noteAct(db, context, { act: "operation.decided-again", subjectType: "operation", subjectId: operationId, reason });
      const done = await decideAgain(ledger, event, originOf(context));
      const operation = await getOperation(db, done.operationId);
      if (operation === undefined) throw new DomainError("INTERNAL");
      return context.json(showOperation(operation), 201);
    },
  );

  routes.add(whyOperationRoute, { access: OWN_DATA, problems: ["OPERATION_NOT_FOUND"] }, async (context) => {
    const operation = await readOwn(db, context, context.req.valid("param").operationId);
    const language = languageAsked(context);
    return context.json({ operationId: operation.operationId, language, story: tellOperation(operation, language) }, 200);
  });
}

/** The operation, when the principal may see it: both sides of a transfer may. Throws: OPERATION_NOT_FOUND. */
async function readOwn(db: Db, context: ApiContext, operationId: string): Promise<OperationRecord> {
  const operation = SERIAL_ID_SHAPE.test(operationId) ? await getOperation(db, operationId) : undefined;
  const only = onlyUserOf(context.get("principal"));
  if (operation === undefined || (only !== undefined && only !== operation.userId && only !== operation.peerUserId))
    throw new DomainError("OPERATION_NOT_FOUND");
  return operation;
}

function toInput(filters: Filters): Omit<OperationListInput, "userId" | "limit" | "after"> {
  const { sort = DEFAULTS.sort, includeRefused, currency, ...rest } = operationFiltersSchema.parse(filters);
  return {
    sort,
    includeRefused: includeRefused === "true",
    ...(currency === undefined ? {} : { currency: readCurrency(currency, currency, "currency") }),
    ...definedOnly(rest),
  };
}

function positionOf({ currency, amountMinor, operationId }: ListedOperation): string[] {
  return [currency, amountMinor.toString(), operationId];
}

function placeOf(position: readonly string[]): Pick<OperationListInput, "after"> {
  const [currency, amountMinor, operationId] = position;
  if (currency === undefined || amountMinor === undefined || operationId === undefined) return {};
  return { after: { currency, amountMinor, operationId } };
}
