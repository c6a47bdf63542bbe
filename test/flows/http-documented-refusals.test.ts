import { afterAll, describe, expect, it } from "vitest";
import { createStripeEvents } from "../../src/adapters/psp/stripe/stripe-events.ts";
import type { Authenticator, RequestLimits } from "../../src/api/http/guard.ts";
import { openApiDocument } from "../../src/api/operations/openapi.ts";
import { DomainError } from "../../src/base/errors.ts";
import { createTestApi, TEST_SETTINGS, type CallOptions, type TestApi } from "../support/http-api.ts";

interface DocumentedRoute {
  readonly method: string;
  readonly path: string;
  readonly hasBody: boolean;
  readonly hasQuery: boolean;
  readonly statuses: readonly string[];
  readonly isPublic: boolean;
}

const UNLIMITED = new Set(["health", "ready", "version", "readMetrics"]);
/** The events of the payment provider may be larger than other bodies. */
const LARGEST_BODY_BYTES = Math.max(262_144, TEST_SETTINGS.maxBodyBytes);
const NOWHERE = "postgres://nobody@127.0.0.1:1/none";
const opened: TestApi[] = [];
afterAll(() => Promise.all(opened.map((api) => api.close())));

/** The API with one part that refuses or breaks; no database, as none of these requests may come that far. */
function apiWith(parts: { authenticator?: Authenticator; limits?: RequestLimits }): TestApi {
  const api = createTestApi({
    databaseUrl: NOWHERE,
    providerEvents: createStripeEvents({ secrets: ["whsec_0123456789abcdef"] }),
    ...parts,
  });
  opened.push(api);
  return api;
}

const refusing = (error: Error): RequestLimits => ({
  async byAddress() {
    throw error;
  },
  async bySubject() {},
});
const routes = readRoutes(apiWith({}));
const whole = apiWith({});
const stranger = apiWith({ authenticator: { authenticate: () => Promise.reject(new DomainError("UNAUTHENTICATED")) } });
const roleless = apiWith({ authenticator: { authenticate: async () => ({ subject: "x", roles: [] }) } });
const unsure = apiWith({ authenticator: { authenticate: () => Promise.reject(new DomainError("UNAVAILABLE")) } });
const crowded = apiWith({ limits: refusing(new DomainError("RATE_LIMITED")) });
const broken = apiWith({ limits: refusing(new TypeError("secret detail of a bug")) });

const PROVOCATIONS: Readonly<
  Record<string, { api: TestApi; request: (route: DocumentedRoute) => CallOptions | undefined; skip?: (route: DocumentedRoute) => boolean }>
> = {
  // The route for OAuth2 clients tells what is wrong with a request in their RFC's form: test/flows/client-credentials.test.ts.
  "400": {
    api: whole,
    request: (route) => (route.hasBody ? { rawBody: "{" } : {}),
    skip: ({ path }) => path === "/api/v1/auth/token",
  },
  "401": { api: stranger, request: () => ({}), skip: ({ isPublic }) => isPublic },
  "403": { api: roleless, request: () => ({}), skip: ({ isPublic }) => isPublic },
  "413": { api: whole, request: () => ({ rawBody: `"${"x".repeat(LARGEST_BODY_BYTES)}"` }) },
  "415": { api: whole, request: () => ({ rawBody: "{}", headers: { "content-type": "text/plain" } }) },
  "429": { api: crowded, request: () => ({}) },
  "500": { api: broken, request: () => ({}) },
  "503": { api: unsure, request: () => ({}), skip: ({ isPublic }) => isPublic },
};

describe("every documented refusal is given, in the form that is documented", () => {
  for (const [status, { api, request, skip }] of Object.entries(PROVOCATIONS)) {
    const documented = routes.filter((route) => route.statuses.includes(status) && !(skip?.(route) ?? false));
    it.each(documented.map((route) => [route.method, route.path, route] as const))(`${status}: %s %s`, async (method, _, route) => {
      const answer = await api.call(method, addressOf(route, status), request(route));

      expect(answer.status).toBe(Number(status));
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(answer.body["code"]).toEqual(expect.any(String));
      expect(answer.body["correlationId"]).toEqual(expect.any(String));
      expect(answer.text).not.toContain("secret detail");
      if (status === "503") expect(answer.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    });
  }
});

// What is not read from a body is made wrong where it stands: an unknown parameter, or a control character in the path.
function addressOf({ path, hasBody, hasQuery }: DocumentedRoute, status: string): string {
  const wrong = status === "400" && !hasBody;
  const filled = path.replaceAll(/\{\w+\}/g, wrong && !hasQuery ? "a%01b" : "2026-01");
  return wrong && hasQuery ? `${filled}?no-such-parameter=1` : filled;
}

function readRoutes(api: TestApi): DocumentedRoute[] {
  const document = openApiDocument(api.app, "test");
  // The paths of the earlier service answer in its own words: test/flows/legacy-contract.test.ts.
  const canonical = Object.entries(document.paths ?? {}).filter(([path]) => path.startsWith("/api/v1/") || !path.startsWith("/api"));
  return canonical.flatMap(([path, item]) =>
    Object.entries(item as Record<string, OperationDocument>)
      // What operators ask every second is counted nowhere and cannot break before its answer.
      .filter(([, { operationId }]) => !UNLIMITED.has(operationId ?? ""))
      .map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        hasBody: operation.requestBody !== undefined,
        hasQuery: operation.parameters?.some((parameter) => parameter.in === "query") ?? false,
        statuses: Object.keys(operation.responses),
        isPublic: operation["x-saldo-roles"] === undefined,
      })),
  );
}

interface OperationDocument {
  readonly operationId?: string;
  readonly requestBody?: unknown;
  readonly parameters?: readonly { readonly in: string }[];
  readonly responses: Record<string, unknown>;
  readonly "x-saldo-roles"?: unknown;
}
