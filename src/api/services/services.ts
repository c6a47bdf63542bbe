import { uuidv7 } from "uuidv7";
import { DomainError } from "../../base/errors.ts";
import { createServices, getService, listServices, type ServiceRecord } from "../../store/services.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import { removeService } from "../../use-cases/services/remove-service.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { ADMINS, OWN_DATA, SERVICES } from "../http/access.ts";
import { addRoute } from "../http/add-route.ts";
import { decodeCursor, encodeCursor, ID_SHAPE } from "../http/cursor.ts";
import {
  createServicesRoute,
  deleteServiceRoute,
  DOCUMENTED_SERVICE_SCHEMAS,
  listServicesRoute,
  readServiceRoute,
  type NewService,
} from "./services-schemas.ts";

/** Services: what orders and reservations are for, and where revenue stands. */
export function addServiceRoutes(api: Api, { db, settings }: ApiDeps, checkServices: CheckServices): void {
  const { maxBodyBytes } = settings;
  const outages = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
  for (const [name, schema] of Object.entries(DOCUMENTED_SERVICE_SCHEMAS)) api.openAPIRegistry.register(name, schema);

  addRoute(
    api,
    createServicesRoute,
    {
      access: SERVICES,
      maxBodyBytes,
      idempotency: { route: "services", required: false, memory: "answer" },
      problems: ["SERVICE_NAME_TAKEN", ...outages],
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

  addRoute(api, readServiceRoute, { access: OWN_DATA, maxBodyBytes, problems: ["SERVICE_NOT_FOUND", ...outages] }, async (context) => {
    const service = await getService(db, context.req.valid("param").serviceId);
    if (service === undefined) throw new DomainError("SERVICE_NOT_FOUND");
    return context.json(show(service), 200);
  });

  addRoute(api, listServicesRoute, { access: OWN_DATA, maxBodyBytes, problems: ["INVALID_CURSOR", ...outages] }, async (context) => {
    const { limit, cursor } = context.req.valid("query");
    const [afterId] = cursor === undefined ? [] : decodeCursor("services", cursor, [ID_SHAPE]);
    const rows = await listServices(db, { limit, ...(afterId === undefined ? {} : { afterId }) });
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return context.json(
      {
        services: page.map(show),
        ...(rows.length > limit && last !== undefined ? { nextCursor: encodeCursor("services", [last.id]) } : {}),
      },
      200,
    );
  });

  addRoute(
    api,
    deleteServiceRoute,
    { access: ADMINS, maxBodyBytes, problems: ["SERVICE_NOT_FOUND", "SERVICE_IN_USE", ...outages] },
    async (context) => {
      const { serviceId } = context.req.valid("param");
      await removeService(db, checkServices, serviceId);
      return context.body(null, 204);
    },
  );
}

function show({ id, name, createdAt }: ServiceRecord) {
  return { id, name, createdAt: createdAt.toISOString() };
}
