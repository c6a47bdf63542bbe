import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

/** For people and for the document itself: not part of the API it describes. */
const PAGES = /^\/(openapi\.json|docs|swagger\/.*)?$/;

describe("the OpenAPI document", () => {
  test("lists every route of the app, and the app takes every route it lists", async () => {
    const document = (await (await api.app.request("/openapi.json")).json()) as {
      openapi: string;
      paths: Record<string, Record<string, unknown>>;
    };
    expect(document.openapi).toBe("3.1.0");
    const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const taken = api.app.routes
      .filter(({ method, path }) => method !== "ALL" && !PAGES.test(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    // The CSV is an ending of another route, and it is asked for in http-reports.test.ts.
    expect(listed.filter((route) => !route.endsWith("}.csv")).sort()).toEqual(taken.sort());
    expect(listed.length).toBeGreaterThan(15);
  });
});
