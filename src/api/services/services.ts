import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { createServices, getService, listServices, type ServiceRecord } from "../../store/services.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import { removeService } from "../../use-cases/services/remove-service.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS, OWN_DATA, SERVICES } from "../http/access.ts";
import { decodeCursor, ID_SHAPE } from "../http/cursor.ts";
import { pageOf } from "../http/page.ts";
import type { Routes } from "../http/routes.ts";
import {
  createServicesRoute,
  deleteServiceRoute,
  DOCUMENTED_SERVICE_SCHEMAS,
  listServicesRoute,
  readServiceRoute,
  type NewService,
} from "./services-schemas.ts";

const LIST = "services";

/** Services: what orders and reservations are for, and where revenue stands. */
export function addServiceRoutes(routes: Routes, { db }: ApiDeps, checkServices: CheckServices): void {
  for (const [name, schema] of Object.entries(DOCUMENTED_SERVICE_SCHEMAS)) routes.addSchema(name, schema);

  routes.add(
    createServicesRoute,
    {
      access: SERVICES,
      idempotency: { route: "services", required: false, memory: "answer" },
      problems: ["SERVICE_NAME_TAKEN"],
    },
    async (context) => {
      const body = context.req.valid("json");
      const isList = "services" in body;
      const wanted: readonly NewService[] = isList ? body.services : [body];
      const services = await createServices(
        db,
        wanted.map(({ id = uuidv7(), name }) => ({ id, name })),
      );
      const shown = services.map(show);
      const status = services.some(({ created }) => created) ? 201 : 200;
      const [only] = shown;
      if (isList || only === undefined) return context.json({ services: shown }, status);
      context.header("location", `/api/v1/services/${encodeURIComponent(only.id)}`);
      return context.json(only, status);
    },
  );

  routes.add(readServiceRoute, { access: OWN_DATA, problems: ["SERVICE_NOT_FOUND"] }, async (context) => {
    const service = await getService(db, context.req.valid("param").serviceId);
    if (service === undefined) throw new DomainError("SERVICE_NOT_FOUND");
    return context.json(show(service), 200);
  });

  routes.add(listServicesRoute, { access: OWN_DATA, problems: ["INVALID_CURSOR"] }, async (context) => {
    const { limit, cursor } = context.req.valid("query");
    const [afterId] = cursor === undefined ? [] : decodeCursor(LIST, cursor, [ID_SHAPE]);
    const rows = await listServices(db, { limit, ...(afterId === undefined ? {} : { afterId }) });
    const { page, nextCursor } = pageOf(rows, limit, LIST, ({ id }) => [id]);
    return context.json({ services: page.map(show), nextCursor }, 200);
  });

  routes.add(deleteServiceRoute, { access: ADMINS, problems: ["SERVICE_NOT_FOUND", "SERVICE_IN_USE"] }, async (context) => {
    const { serviceId } = context.req.valid("param");
    await removeService(db, checkServices, serviceId);
    return context.body(null, 204);
  });
}

function show({ id, name, createdAt }: ServiceRecord) {
  return { id, name, createdAt: createdAt.toISOString() };
}
