import { afterAll, beforeAll, expect, it } from "vitest";
import { reservationWorkflowId, stepKey } from "../../src/contract/ids.ts";
import type { ReservationInput } from "../../src/contract/reservations.ts";
import { placeHoldOperation } from "../../src/domain/ledger/hold-operations.ts";
import { createTestApi, type TestApi } from "../support/http-api.ts";
import { createTestDatabase, type TestDatabase } from "../support/test-database.ts";

let database: TestDatabase;
let api: TestApi;
let begun: () => void;
let goOn: () => void;
const hasBegun = new Promise<void>((resolve) => (begun = resolve));
const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));

/** As the workflow does it, at a moment of the test's choice. */
async function placeReservation(input: ReservationInput) {
  begun();
  await mayGoOn;
  const { reservationId: holdId } = input;
  await api.ledger.post(
    placeHoldOperation({
      ...input,
      holdId,
      amountMinor: BigInt(input.amountMinor),
      expiresAt: new Date(Date.now() + 60_000).toISOString(),
      key: stepKey(reservationWorkflowId(holdId), "hold"),
      origin: input,
    }),
  );
  return { status: "held" };
}

beforeAll(async () => {
  database = await createTestDatabase();
  api = createTestApi({ databaseUrl: database.appUrl, starters: { placeReservation } as never });
});

afterAll(async () => {
  await api.close();
  await database.drop();
});

it("a service cannot be deleted while a reservation of it is being made", async () => {
  await api.call("POST", "/api/v1/services", { body: { id: "gig", name: "Gig" } });
  await api.call("POST", "/api/v1/balances/anna/deposits", { body: { amount: "10" } });
  const placing = api.call("POST", "/api/v1/reservations", {
    body: { userId: "anna", serviceId: "gig", orderId: "1", amount: "4" },
  });
  await hasBegun;
  const deleting = api.call("DELETE", "/api/v1/services/gig");
  await new Promise((resolve) => setTimeout(resolve, 200));
  goOn();
  expect((await placing).status).toBe(201);
  const { status, body } = await deleting;
  expect([status, body["code"]]).toEqual([409, "SERVICE_IN_USE"]);
  expect((await api.call("GET", "/api/v1/services/gig")).status).toBe(200);
});
