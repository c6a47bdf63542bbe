import { DomainError } from "../../base/errors.ts";
import { listOperations, type ListedOperation, type OperationListInput } from "../../store/ledger/operation-list.ts";
import { getOperation, type OperationRecord } from "../../store/ledger/operations.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { ApiContext } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { onlyUserOf, OWN_DATA, requireOwn } from "../http/access.ts";
import { decodeFilteredCursor, filteredPlace, type Filters } from "../http/filtered-cursor.ts";
import { languageAsked } from "../http/language.ts";
import { pageOf } from "../http/page.ts";
import { readCurrency } from "../http/read-money.ts";
import type { Routes } from "../http/routes.ts";
import { tellOperation } from "./operation-story.ts";
import { listOperationsRoute, operationFiltersSchema, readOperationRoute, whyOperationRoute } from "./operations-schemas.ts";
import { showListedOperation, showOperation } from "./show-operation.ts";

const BIGINT = /^(?:0|[1-9]\d{0,17})$/;
const CURRENCY = /^[A-Z]{3}$/;
const DEFAULTS = { sort: "-date", includeRefused: "false" } as const satisfies Filters;

/** Histories of users, and single operations with the reason for them. */
export function addOperationRoutes(routes: Routes, { db }: ApiDeps): void {
  routes.add(listOperationsRoute, { access: OWN_DATA, problems: ["NOT_FOUND", "INVALID_CURSOR", "INVALID_CURRENCY"] }, async (context) => {
    const { userId } = context.req.valid("param");
    requireOwn(context, userId, "NOT_FOUND");
    const { limit, cursor, ...named } = context.req.valid("query");
    const list = `operations of ${userId}`;
    const asked = definedOnly(named);
    const started = cursor === undefined ? undefined : decodeFilteredCursor(list, cursor, asked, [CURRENCY, BIGINT, BIGINT]);
    const filters = started === undefined ? { ...DEFAULTS, ...asked } : readFilters(started.filters);
    const rows = await listOperations(db, { userId, limit, ...toInput(filters), ...placeOf(started?.position) });
    const { page, nextCursor } = pageOf(rows, limit, list, (row) => filteredPlace(filters, positionOf(row)));
    return context.json({ userId, operations: page.map(showListedOperation), nextCursor }, 200);
  });

  routes.add(readOperationRoute, { access: OWN_DATA, problems: ["OPERATION_NOT_FOUND"] }, async (context) =>
    context.json(showOperation(await readOwn(db, context, context.req.valid("param").operationId)), 200),
  );

  routes.add(whyOperationRoute, { access: OWN_DATA, problems: ["OPERATION_NOT_FOUND"] }, async (context) => {
    const operation = await readOwn(db, context, context.req.valid("param").operationId);
    const language = languageAsked(context);
    return context.json({ operationId: operation.operationId, language, story: tellOperation(operation, language) }, 200);
  });
}

/** The operation, when the principal may see it: both sides of a transfer may. Throws: OPERATION_NOT_FOUND. */
async function readOwn(db: Db, context: ApiContext, operationId: string): Promise<OperationRecord> {
  const operation = BIGINT.test(operationId) ? await getOperation(db, operationId) : undefined;
  const only = onlyUserOf(context.get("principal"));
  if (operation === undefined || (only !== undefined && only !== operation.userId && only !== operation.peerUserId))
    throw new DomainError("OPERATION_NOT_FOUND");
  return operation;
}

function definedOnly(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

// A cursor is not signed: its filters are checked as if they stood in the query.
function readFilters(filters: Record<string, unknown>): Filters {
  const parsed = operationFiltersSchema.safeParse(filters);
  if (!parsed.success) throw new DomainError("INVALID_CURSOR", undefined, { pointer: "cursor" });
  return definedOnly(parsed.data);
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

function placeOf(position: readonly string[] | undefined): Pick<OperationListInput, "after"> {
  const [currency, amountMinor, operationId] = position ?? [];
  if (currency === undefined || amountMinor === undefined || operationId === undefined) return {};
  return { after: { currency, amountMinor, operationId } };
}
