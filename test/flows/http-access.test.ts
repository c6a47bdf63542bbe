import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { accessTable, type AccessRow } from "../../src/api/http/declared-access.ts";
import type { Authenticator } from "../../src/api/http/guard.ts";
import { DomainError } from "../../src/base/errors.ts";
import { ROLES, type Role } from "../../src/contract/identity.ts";
import { SCOPES, scopesOf } from "../../src/contract/scopes.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { OWN_DATA_CASES, prepareAlice } from "../support/own-data-cases.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

/** Tokens of this test are `Bearer <role>:<subject>`; those of API keys are `Bearer key:<scopes, with commas between>`. */
const KEY = "Bearer key:";
const authenticator: Authenticator = {
  authenticate: async (authorization) => {
    const [role, subject] = authorization?.replace("Bearer ", "").split(":") ?? [];
    if (authorization?.startsWith(KEY) === true)
      return {
        subject: "shop",
        roles: ["service"],
        key: { keyId: "k", scopes: authorization.slice(KEY.length).split(",").flatMap(scopesOf) },
      };
    if (subject === undefined || !ROLES.includes(role as Role)) throw new DomainError("UNAUTHENTICATED");
    return { subject, roles: [role as Role] };
  },
};

const asKey = (scopes: readonly string[]) => ({ authorization: `${KEY}${scopes.join(",")}` });
const bearer = (role: Role, subject: string) => ({ authorization: `Bearer ${role}:${subject}` });
const nameOf = ({ method, path }: AccessRow) => `${method} ${path}`;
/** Any value does: who may not call learns nothing of what the route would have said. */
const filled = (path: string) => path.replaceAll(/\{(\w+)\}/g, "x");

const table = await readTable();
let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, authenticator });
  await prepareAlice(api, bearer("service", "shop"));
});
afterAll(async () => {
  await api.close();
  await database.drop();
});

describe("who may do what", () => {
  it("every route of the app has its line in the table", () => {
    const declared = new Set(table.map(({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`));
    const routes = api.app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`);

    expect(routes.length).toBeGreaterThan(20);
    expect([...new Set(routes)].filter((route) => !declared.has(route))).toEqual([]);
  });

  it.each(table.filter(({ access }) => access !== "public").map((row) => [nameOf(row), row] as const))(
    "nobody may call %s",
    async (_, row) => {
      const answer = await send(row, {});

      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    },
  );

  const refusals = table.flatMap((row) =>
    row.access === "public" ? [] : ROLES.filter((role) => !row.access.includes(role)).map((role) => [nameOf(row), role, row] as const),
  );
  it.each(refusals)("%s is refused to the role %s", async (_, role, row) => {
    expect((await send(row, bearer(role, "alice"))).status).toBe(403);
  });

  const ofServices = table.filter(({ access }) => access !== "public" && access.includes("service"));
  it("every route that a service may call takes keys of one scope, but those of a person's own session", () => {
    expect(ofServices.filter(({ scope }) => scope === undefined).map(nameOf)).toEqual([
      "POST /api/v1/auth/logout",
      "POST /api/v1/auth/password",
    ]);
    expect(ofServices.filter(({ scope }) => scope === "any").map(nameOf)).toEqual(["GET /api/v1/auth/me"]);
  });

  const scoped = ofServices.filter(({ scope }) => scope !== "any").map((row) => [nameOf(row), row] as const);
  it.each(scoped)("%s is refused to a key that has every scope but the one it needs", async (_, row) => {
    expect((await send(row, asKey(SCOPES.filter((scope) => scope !== row.scope)))).status).toBe(403);
  });

  it.each(table.filter(({ access }) => access !== "public" && !access.includes("service")).map((row) => [nameOf(row), row] as const))(
    "%s is refused to a key that has every scope",
    async (_, row) => {
      expect((await send(row, asKey(SCOPES))).status).toBe(403);
    },
  );

  const ownData = table.filter(({ access }) => access !== "public" && access.includes("user")).map((row) => [nameOf(row), row] as const);
  it.each(ownData)("%s shows a user nothing of another user", async (name) => {
    const testCase = OWN_DATA_CASES[name];
    if (testCase === undefined) throw new Error(`${name} may be called by users and has no case in test/support/own-data-cases.ts`);
    const asked = await testCase({
      asOwner: (method, path, options) => api.call(method, path, { ...options, headers: bearer("user", "alice") }),
      asOther: (method, path, options) => api.call(method, path, { ...options, headers: bearer("user", "mallory") }),
    });

    expect(asked.owner).toEqual(asked.expectedOfOwner);
    expect(asked.other).toEqual(asked.expectedOfOther);
  });
});

async function readTable(): Promise<readonly AccessRow[]> {
  const routesOnly = createTestApi({ databaseUrl: "postgres://nobody@127.0.0.1:1/none" });
  try {
    return accessTable(routesOnly.app);
  } finally {
    await routesOnly.close();
  }
}

async function send({ method, path }: AccessRow, headers: Record<string, string>): Promise<Response> {
  return api.app.request(filled(path), { method, headers: { "idempotency-key": "k", ...headers } });
}
