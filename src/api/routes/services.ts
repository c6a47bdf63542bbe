import { createRoute } from "@hono/zod-openapi";
import { uuidv7 } from "uuidv7";
import { DomainError } from "../../errors.ts";
import { createServices, getService, listServices, type ServiceRecord } from "../../store/services.ts";
import { OWN_DATA, SERVICES } from "../access.ts";
import { addRoute } from "../add-route.ts";
import type { Api, ApiDeps } from "../api-env.ts";
import { decodeCursor, encodeCursor, ID_SHAPE } from "../cursor.ts";
import {
  DOCUMENTED_SERVICE_SCHEMAS,
  serviceListSchema,
  serviceParamsSchema,
  serviceQuerySchema,
  servicesBodySchema,
  serviceSchema,
  servicesMadeSchema,
  type NewService,
} from "../schemas/services.ts";

const made = { content: { "application/json": { schema: servicesMadeSchema } } };

const createServicesRoute = createRoute({
  method: "post",
  path: "/api/v1/services",
  operationId: "createServices",
  tags: ["services"],
  summary: "Add one service, or a list of them",
  description: "A list is added as a whole or not at all. A service that is there with the same id and name stays as it is.",
  request: { body: { required: true, content: { "application/json": { schema: servicesBodySchema } } } },
  responses: { 200: { description: "All of them were there before.", ...made }, 201: { description: "At least one was added.", ...made } },
});

const readRoute = createRoute({
  method: "get",
  path: "/api/v1/services/{serviceId}",
  operationId: "getService",
  tags: ["services"],
  summary: "One service",
  request: { params: serviceParamsSchema },
  responses: { 200: { description: "The service.", content: { "application/json": { schema: serviceSchema } } } },
});

const listRoute = createRoute({
  method: "get",
  path: "/api/v1/services",
  operationId: "listServices",
  tags: ["services"],
  summary: "Services by id, page by page",
  request: { query: serviceQuerySchema },
  responses: { 200: { description: "A page.", content: { "application/json": { schema: serviceListSchema } } } },
});

/** Services: what orders and reservations are for, and where revenue stands. */
export function addServiceRoutes(api: Api, { db, settings }: ApiDeps): void {
  const { maxBodyBytes } = settings;
  const outages = ["UNAVAILABLE", "DEADLINE_EXCEEDED"] as const;
  for (const [name, schema] of Object.entries(DOCUMENTED_SERVICE_SCHEMAS)) api.openAPIRegistry.register(name, schema);

  addRoute(api, createServicesRoute, { access: SERVICES, maxBodyBytes, problems: ["SERVICE_NAME_TAKEN", ...outages] }, async (context) => {
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
  });

  addRoute(api, readRoute, { access: OWN_DATA, maxBodyBytes, problems: ["SERVICE_NOT_FOUND", ...outages] }, async (context) => {
    const service = await getService(db, context.req.valid("param").serviceId);
    if (service === undefined) throw new DomainError("SERVICE_NOT_FOUND");
    return context.json(show(service), 200);
  });

  addRoute(api, listRoute, { access: OWN_DATA, maxBodyBytes, problems: ["INVALID_CURSOR", ...outages] }, async (context) => {
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
}

function show({ id, name, createdAt }: ServiceRecord) {
  return { id, name, createdAt: createdAt.toISOString() };
}
