import { DomainError } from "../../base/errors.ts";
import { listOperations, type ListedOperation, type OperationListInput } from "../../store/ledger/operation-list.ts";
import { getOperation, type OperationRecord } from "../../store/ledger/operations.ts";
import type { Db } from "../../store/postgres/database.ts";
import type { Api, ApiContext, ApiDeps } from "../api-env.ts";
import { onlyUserOf, OWN_DATA, requireOwn } from "../http/access.ts";
import { addRoute } from "../http/add-route.ts";
import { decodeFilteredCursor, encodeFilteredCursor, type Filters } from "../http/filtered-cursor.ts";
import { preferredLanguage } from "../http/language.ts";
import { readCurrency } from "../http/read-money.ts";
import { tellOperation } from "./operation-story.ts";
import { listOperationsRoute, operationFiltersSchema, readOperationRoute, whyOperationRoute } from "./operations-schemas.ts";
import { showListedOperation, showOperation } from "./show-operation.ts";

const OUTAGES = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
const BIGINT = /^(?:0|[1-9]\d{0,17})$/;
const CURRENCY = /^[A-Z]{3}$/;
const DEFAULTS = { sort: "-date", includeRefused: "false" } as const satisfies Filters;

/** Histories of users, and single operations with the reason for them. */
export function addOperationRoutes(api: Api, { db, settings }: ApiDeps): void {
  const { maxBodyBytes } = settings;

  addRoute(
    api,
    listOperationsRoute,
    { access: OWN_DATA, maxBodyBytes, problems: ["NOT_FOUND", "INVALID_CURSOR", "INVALID_CURRENCY", ...OUTAGES] },
    async (context) => {
      const { userId } = context.req.valid("param");
      requireOwn(context, userId, "NOT_FOUND");
      const { limit, cursor, ...named } = context.req.valid("query");
      const list = `operations of ${userId}`;
      const asked = definedOnly(named);
      const started = cursor === undefined ? undefined : decodeFilteredCursor(list, cursor, asked, [CURRENCY, BIGINT, BIGINT]);
      const filters = started === undefined ? { ...DEFAULTS, ...asked } : readFilters(started.filters);
      const rows = await listOperations(db, { userId, limit, ...toInput(filters), ...placeOf(started?.position) });
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      return context.json(
        {
          userId,
          operations: page.map(showListedOperation),
          ...(rows.length > limit && last !== undefined ? { nextCursor: encodeFilteredCursor(list, filters, positionOf(last)) } : {}),
        },
        200,
      );
    },
  );

  addRoute(api, readOperationRoute, { access: OWN_DATA, maxBodyBytes, problems: ["OPERATION_NOT_FOUND", ...OUTAGES] }, async (context) =>
    context.json(showOperation(await readOwn(db, context, context.req.valid("param").operationId)), 200),
  );

  addRoute(api, whyOperationRoute, { access: OWN_DATA, maxBodyBytes, problems: ["OPERATION_NOT_FOUND", ...OUTAGES] }, async (context) => {
    const operation = await readOwn(db, context, context.req.valid("param").operationId);
    const language = preferredLanguage(context.req.header("accept-language"));
    context.header("content-language", language);
    context.header("vary", "accept-language");
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
