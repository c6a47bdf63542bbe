import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { Api } from "../../src/api/api-env.ts";
import { openApiDocument } from "../../src/api/operations/openapi.ts";

/** Compares an answer with the OpenAPI document: the status must be listed for the route and the body must fit its schema. Returns what does not fit. */
export type OpenApiCheck = (answer: { method: string; path: string; status: number; contentType: string; body: unknown }) => string[];

/** A check against the OpenAPI document of this app. Answers of addresses without a route (404, 405) are not checked. */
export function createOpenApiCheck(api: Api): OpenApiCheck {
  const document = openApiDocument(api, "test");
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema(document, "openapi");
  const compiled = new Map<string, ValidateFunction>();
  const templates = Object.keys(document.paths ?? {})
    .map((template) => ({ template, pattern: new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`) }))
    .sort(
      (left, right) =>
        Number(right.template.endsWith(".csv")) - Number(left.template.endsWith(".csv")) ||
        // Of two templates that match the router takes the one with fewer parameters.
        left.template.split("{").length - right.template.split("{").length,
    );

  return ({ method, path, status, contentType, body }) => {
    const pathname = path.split("?", 1)[0] ?? path;
    const template = templates.find(({ pattern }) => pattern.test(pathname))?.template;
    if (template === undefined) return status === 404 ? [] : [`${pathname} is not in the document`];
    const methods = (document.paths?.[template] ?? {}) as Record<
      string,
      { responses?: Record<string, { content?: Record<string, unknown> }> }
    >;
    const operation = methods[method.toLowerCase()];
    if (operation === undefined) return status === 405 ? [] : [`${method} ${template} is not in the document`];
    const response = operation.responses?.[status];
    if (response === undefined) return [`${method} ${template} answered ${status}, which is not in the document`];
    const type = contentType.split(";", 1)[0] ?? "";
    if (response.content === undefined && type === "") return [];
    if (response.content?.[type] === undefined)
      return [`${method} ${template} answered ${status} as ${type}, which is not in the document`];
    if (!type.endsWith("json")) return [];
    const pointer = ["paths", template, method.toLowerCase(), "responses", String(status), "content", type, "schema"]
      .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")))
      .join("/");
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `openapi#/${pointer}` });
    compiled.set(pointer, validate);
    return validate(body) ? [] : [`${method} ${template} ${status}: ${ajv.errorsText(validate.errors)}`];
  };
}
