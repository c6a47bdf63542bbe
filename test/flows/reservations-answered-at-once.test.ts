import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { reservationWorkflowId } from "../../src/contract/ids.ts";
import type { PlacedHold } from "../../src/starters/placed-holds.ts";
import { createWaits } from "../../src/starters/waits.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { startTwoApis, type TwoApis } from "../support/two-apis.ts";

let apis: TwoApis;
let api: TwoApis["api"];
let elsewhere: TwoApis["elsewhere"];
const placedHolds = createWaits<PlacedHold>();

beforeAll(async () => {
  apis = await startTwoApis(["orders"], { placedHolds });
  ({ api, elsewhere } = apis);
});
afterAll(() => apis.close());

const fund = async (): Promise<string> => {
  const user = `at-once-${randomUUID()}`;
  await api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount: "100.00" } });
  return user;
};
const place = (userId: string, amount: string, key = randomUUID()) =>
  api.call("POST", "/api/v1/reservations", { body: { userId, serviceId: "gig", orderId: "o-1", amount, ttlSeconds: 600 }, key });
const pathOf = (id: unknown) => `/api/v1/reservations/${String(id)}`;

test("a reservation is answered from the hold's commit, without an update, and every process reads the same of it", async () => {
  const key = randomUUID();
  const user = await fund();
  const placed = await place(user, "10.00", key);
  expect([placed.status, placed.body["status"]]).toEqual([201, "held"]);
  const { remainingSeconds: _then, ...body } = placed.body;
  expect((await elsewhere.call("GET", pathOf(body["reservationId"]))).body).toMatchObject(body);
  const again = await place(user, "10.00", key);
  expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([201, "true"]);
  expect((await place(user, "11.00", key)).body["code"]).toBe("IDEMPOTENCY_CONFLICT");
  const { events } = await apis.workflows.client.workflow.getHandle(reservationWorkflowId(String(body["reservationId"]))).fetchHistory();
  expect(events?.filter((event) => event.workflowExecutionUpdateAcceptedEventAttributes)).toEqual([]);
});

test("a reservation beyond the balance is refused with the ledger's code, also when it is asked for again", async () => {
  const [user, key] = [await fund(), randomUUID()];
  for (let time = 0; time < 2; time += 1) {
    const refused = await place(user, "100.01", key);
    expect([refused.status, refused.body["code"]]).toEqual([422, "INSUFFICIENT_FUNDS"]);
    if (time === 0) expect(refused.headers.get("idempotency-replayed")).toBeNull();
  }
  expect(placedHolds.size()).toBe(0);
});

test("reservations that are asked for twice at once and confirmed or released the moment they are answered are each served once", async () => {
  const user = await fund();
  const acts = await Promise.all(
    Array.from({ length: 40 }, async (_, n) => {
      const key = randomUUID();
      const placed = await Promise.all([place(user, "2.00", key), place(user, "2.00", key)]);
      // The second is refused while the first is under way, or has its answer.
      const first = placed.find(({ body }) => body["code"] !== "REQUEST_IN_FLIGHT");
      expect(first?.status).toBe(201);
      const act = n % 4 === 0 ? "release" : "confirm";
      return await api.call("POST", `${pathOf(first?.body["reservationId"])}/${act}`, { body: {}, key: randomUUID() });
    }),
  );
  expect(acts.map(({ status, body }) => [status, body["status"]])).toEqual(
    acts.map((_, n) => [200, n % 4 === 0 ? "released" : "confirmed"]),
  );
  const { body } = await elsewhere.call("GET", `/api/v1/balances/${user}?currency=RUB`);
  expect([body["available"], body["held"]]).toEqual(["40.00", "0.00"]);
  expect(placedHolds.size()).toBe(0);
  expect((await auditBooks(elsewhere.db)).ok).toBe(true);
});
