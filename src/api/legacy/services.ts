import { DomainError } from "../../base/errors.ts";
import { createServices, getService } from "../../store/services.ts";
import type { CheckServices } from "../../use-cases/services/known-services.ts";
import { removeService } from "../../use-cases/services/remove-service.ts";
import type { Api } from "../api-env.ts";
import type { ApiDeps } from "../deps.ts";
import { ADMINS, SERVICES } from "../http/access.ts";
import { addLegacyRoute, type LegacyParts } from "./add-legacy-route.ts";
import { answerJson, answerOk, OK_ANSWER } from "./legacy-answers.ts";
import { legacyId } from "./legacy-json.ts";
import { serviceIdSchema, servicesSchema, shownServiceSchema } from "./schemas.ts";

/** Services, as the earlier service had them: the client gives their ids. */
export function addLegacyServiceRoutes(api: Api, parts: LegacyParts, { db }: ApiDeps, checkServices: CheckServices): void {
  addLegacyRoute(
    api,
    parts,
    {
      method: "post",
      path: "/api/services",
      operationId: "legacyAddServices",
      summary: "Add a list of services. Use POST /api/v1/services",
      description: "All of them or none. A bare array is taken as well. A service that is there with the same name stays as it is.",
      access: SERVICES,
      routeClass: "write",
      input: servicesSchema,
      answers: OK_ANSWER,
    },
    async (context, { services }) => {
      await createServices(db, services);
      return answerOk(context);
    },
  );

  addLegacyRoute(
    api,
    parts,
    {
      method: "get",
      path: "/api/services",
      operationId: "legacyGetService",
      summary: "One service. Use GET /api/v1/services/{serviceId}",
      access: SERVICES,
      routeClass: "read",
      input: serviceIdSchema,
      answers: { type: "application/json", schema: shownServiceSchema, description: "The service." },
    },
    async (context, { id }) => {
      const service = await getService(db, id);
      if (service === undefined) throw new DomainError("SERVICE_NOT_FOUND");
      return answerJson(context, { id: legacyId(service.id), name: service.name });
    },
  );

  addLegacyRoute(
    api,
    parts,
    {
      method: "delete",
      path: "/api/services",
      operationId: "legacyDeleteService",
      summary: "Delete a service. Use DELETE /api/v1/services/{serviceId}",
      description: "Refused while there is an open reservation or a running order for it. What was sold stays in the reports.",
      access: ADMINS,
      routeClass: "write",
      input: serviceIdSchema,
      answers: OK_ANSWER,
    },
    async (context, { id }) => {
      await removeService(db, checkServices, id);
      return answerOk(context);
    },
  );
}
