import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DomainError } from "../../src/base/errors.ts";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "../support/http-system.ts";
import { codeOf, createReservationClient } from "../support/reservation-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";
import { until } from "../support/until.ts";

let database: TestDatabase;
let workflows: TestWorkflows;
let api: TestApi;

beforeAll(async () => {
  database = await createTestDatabase();
  workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters });
  for (const id of ["seat", "meal"]) await api.call("POST", "/api/v1/services", { body: { id, name: id } });
});

afterAll(async () => {
  await api.close();
  await workflows.close();
  await database.drop();
});

const { deposit, reserve, untilStatus } = createReservationClient(() => api);

describe("the test clock", () => {
  test("brings the end nearer, and what would happen on the way happens", async () => {
    await deposit("clock", "100");
    const { id, path } = await reserve("clock", "40", { ttlSeconds: 600 });
    const advance = (advanceMs: number) => api.call("POST", `/api/v1/test-clock/reservations/${id}`, { body: { advanceMs } });
    const nearer = await advance(570_000);
    expect(nearer.body).toMatchObject({ status: "held" });
    expect(nearer.body["remainingSeconds"]).toBeLessThanOrEqual(30);
    const messages = () =>
      api.db.execute<{ payload: string }>(sql`select payload from outbox where topic = 'reservations.events' and aggregate_id = ${id}`);
    await until("it was told", async () => (await messages()).length === 1);
    expect(JSON.parse((await messages())[0]?.payload ?? "")).toMatchObject({ reservationId: id, heldMinor: "4000", userId: "clock" });
    await advance(30_000);
    await untilStatus(path, "expired");
    expect(codeOf(await advance(1_000))).toEqual([409, "RESERVATION_EXPIRED"]);
    expect(await messages()).toHaveLength(1);
  });

  test.each([
    { meets: "ended before it was asked", code: "ALREADY_RELEASED", before: "release", fails: false },
    { meets: "took no update while it closed", code: "ALREADY_CONFIRMED", before: "confirm", fails: true },
    { meets: "expired meanwhile", code: "RESERVATION_EXPIRED", before: "expire", fails: false },
  ])("answers 409 when the reservation $meets", async ({ code, before, fails }) => {
    const user = `closing-${before}`;
    await deposit(user, "100");
    const { id, path } = await reserve(user, "40", { ttlSeconds: 600 });
    const meeting = createTestApi({
      databaseUrl: database.appUrl,
      starters: {
        ...workflows.starters,
        async advanceReservationClock(reservationId, input) {
          if (before !== "expire") await api.call("POST", `${path}/${before}`);
          else await workflows.starters.advanceReservationClock(reservationId, { ...input, requestKey: user, advanceMs: 600_000 });
          await workflows.client.workflow.getHandle(reservationWorkflowId(reservationId)).result();
          if (fails) throw new DomainError("UNAVAILABLE", "the workflow was closing");
          return workflows.starters.advanceReservationClock(reservationId, input);
        },
      },
    });
    const answer = await meeting.call("POST", `/api/v1/test-clock/reservations/${id}`, { body: { advanceMs: 1_000 } });
    expect(codeOf(answer)).toEqual([409, code]);
    await meeting.close();
  });

  test("stays 503 while the money is held and no workflow runs", async () => {
    await deposit("no-workflow", "100");
    const { id, path } = await reserve("no-workflow", "40", { ttlSeconds: 600 });
    await workflows.client.workflow.getHandle(reservationWorkflowId(id)).terminate("a test");
    const advance = () => api.call("POST", `/api/v1/test-clock/reservations/${id}`, { body: { advanceMs: 1_000 } });
    expect(codeOf(await advance())).toEqual([503, "UNAVAILABLE"]);
    await api.call("POST", `${path}/release`);
    expect(codeOf(await advance())).toEqual([409, "ALREADY_RELEASED"]);
  });

  test("is not there in production", async () => {
    const production = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, settings: { testClock: false } });
    const call = () => production.app.request("/api/v1/test-clock/reservations/any", { method: "POST", body: "{}" });
    expect((await call()).status).toBe(404);
    await production.close();
  });
});
