import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  await api.call("POST", "/api/v1/services", { body: { id: "seat", name: "Seat" } });
});

afterAll(async () => {
  await api.close();
  await workflows.close();
  await database.drop();
});

interface Told {
  readonly kind: string;
  readonly text: string;
  readonly correlationId?: string;
  readonly operationId?: string;
}

async function reserve(user: string): Promise<string> {
  await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "100" } });
  const body = { userId: user, serviceId: "seat", orderId: `order of ${user}`, amount: "40", ttlSeconds: 600 };
  const answer = await api.call("POST", "/api/v1/reservations", { body, headers: { "x-correlation-id": `placing-${user}` } });
  return `/api/v1/reservations/${String(answer.body["reservationId"])}`;
}

async function story(path: string, language = "en"): Promise<Told[]> {
  const { body } = await api.call("GET", `${path}/timeline`, { headers: { "accept-language": language } });
  return body["events"] as Told[];
}

describe("a reservation's story", () => {
  test("tells what was held, that it was announced, and that it went back because nobody confirmed it", async () => {
    const path = await reserve("forgetful");
    const id = path.split("/").at(-1) ?? "";
    const advance = (advanceMs: number) => api.call("POST", `/api/v1/test-clock/reservations/${id}`, { body: { advanceMs } });
    await advance(570_000);
    await until("it was told", async () => (await story(path)).some(({ kind }) => kind === "message"));
    await advance(30_000);
    await until("it is expired", async () => (await api.call("GET", path)).body["status"] === "expired");
    const told = await story(path);
    expect(told.map(({ kind }) => kind)).toEqual(["ledger", "move", "message", "move", "ledger"]);
    expect(told[0]).toMatchObject({
      text: expect.stringContaining('40.00 RUB set aside for service "seat", order "order of forgetful"') as string,
      correlationId: "placing-forgetful",
      operationId: expect.any(String) as string,
    });
    expect(told[1]?.text).toContain("the test clock was moved on");
    expect(told[4]?.text).toBe("40.00 RUB available again: not confirmed in time");
    expect((await story(path, "ru")).at(-1)?.text).toBe("40.00 RUB снова доступно: не подтверждено вовремя");
  });

  test("tells each part, extension and refusal with the correlation id of its own request", async () => {
    const path = await reserve("busy");
    const ask = (act: string, correlationId: string, body?: object) =>
      api.call("POST", `${path}/${act}`, { ...(body === undefined ? {} : { body }), headers: { "x-correlation-id": correlationId } });
    await ask("confirm", "c-part", { amount: "10" });
    await ask("extend", "c-extend", { ttlSeconds: 1_200 });
    await ask("confirm", "c-too-much", { amount: "31" });
    await ask("release", "c-release");
    const told = (await story(path)).map(({ text, correlationId }) => [correlationId, text.split(",")[0]?.split(":")[0]]);
    expect(told).toEqual([
      ["placing-busy", '40.00 RUB set aside for service "seat"'],
      ["c-part", "10.00 RUB confirmed"],
      ["c-extend", "extended"],
      ["c-too-much", "a confirmation was refused"],
      ["c-release", "30.00 RUB released on request and available again"],
    ]);
  });

  test("is its user's only", async () => {
    const path = await reserve("private");
    const asUser = async (subject: string) => {
      const caller = createTestApi({
        databaseUrl: database.appUrl,
        starters: workflows.starters,
        authenticator: { authenticate: async () => ({ subject, roles: ["user"] }) },
      });
      const { status } = await caller.call("GET", `${path}/timeline`);
      await caller.close();
      return status;
    };
    expect([await asUser("private"), await asUser("stranger")]).toEqual([200, 404]);
    expect((await api.call("GET", "/api/v1/reservations/nobody/timeline")).body["code"]).toBe("RESERVATION_NOT_FOUND");
  });
});
