import { listDeadLetters, type DeadLetterFilter } from "../../store/events/dead-letter-list.ts";
import { findReceipt } from "../../store/events/receipts.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS } from "../http/access.ts";
import { SERIAL_ID_SHAPE } from "../http/cursor.ts";
import { definedOnly, filteredPlace, startOfFilteredPage, type FilteredList, type Filters } from "../http/filtered-cursor.ts";
import { pageOf } from "../http/page.ts";
import type { Routes } from "../http/routes.ts";
import { deadLetterFiltersSchema, listDeadLettersRoute, readDeadLetterRoute } from "./dead-letters-schemas.ts";
import { findDeadLetter } from "./find-dead-letter.ts";
import { addRedriveRoutes } from "./redrive-dead-letters.ts";
import { showDeadLetter, showDeadLetterSummary } from "./show-dead-letter.ts";

const LIST: FilteredList = { name: "dead-letters", schema: deadLetterFiltersSchema, shapes: [SERIAL_ID_SHAPE] };

/** Messages that could not be processed: look at them, and send them again. */
export function addDeadLetterRoutes(routes: Routes, deps: ApiDeps): void {
  const { db } = deps;

  routes.add(listDeadLettersRoute, { access: ADMINS, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor, ...named } = context.req.valid("query");
    const { filters, position } = startOfFilteredPage(LIST, definedOnly(named), cursor);
    const [beforeId] = position;
    const rows = await listDeadLetters(db, { ...toFilter(filters), limit, ...(beforeId === undefined ? {} : { beforeId }) });
    const { page, nextCursor } = pageOf(rows, limit, LIST.name, ({ deadLetterId }) => filteredPlace(filters, [deadLetterId]));
    return context.json({ deadLetters: page.map(showDeadLetterSummary), nextCursor }, 200);
  });

  routes.add(readDeadLetterRoute, { access: ADMINS, problems: ["DEAD_LETTER_NOT_FOUND"] }, async (context) => {
    const letter = await findDeadLetter(db, context.req.valid("param").deadLetterId);
    const receipt = letter.redrivenAt === undefined ? undefined : await findReceipt(db, letter);
    return context.json(showDeadLetter(letter, receipt), 200);
  });

  addRedriveRoutes(routes, deps);
}

function toFilter({ redriven, ...filters }: Filters): DeadLetterFilter {
  return { ...filters, ...(redriven === undefined ? {} : { redriven: redriven === "true" }) };
}
