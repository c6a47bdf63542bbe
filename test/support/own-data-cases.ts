import { placeHoldOperation } from "../../src/domain/ledger/hold-operations.ts";
import { createOrder, type NewOrder } from "../../src/store/orders/orders.ts";
import type { CallOptions, TestAnswer, TestApi } from "./http-api.ts";

type Ask = (method: string, path: string, options?: Omit<CallOptions, "headers">) => Promise<TestAnswer>;

export interface Askers {
  /** Alice, who owns the data. */
  readonly asOwner: Ask;
  readonly asOther: Ask;
}

/** What the owner and another user saw, and what they should have seen. */
export interface Seen {
  readonly owner: unknown;
  readonly expectedOfOwner: unknown;
  readonly other: unknown;
  readonly expectedOfOther: unknown;
}

export const ALICE = "alice";
const ORDER = "order-of-alice";
const RESERVATION = "reservation-of-alice";
let operationId = "";

/** Gives Alice money, an order, a reservation and an operation, which the other user must not see. */
export async function prepareAlice(api: TestApi, headers: Record<string, string>): Promise<void> {
  await api.call("POST", "/api/v1/services", { headers, body: { id: "music", name: "Music" } });
  const deposit = await api.call("POST", `/api/v1/balances/${ALICE}/deposits`, { headers, body: { amount: "100.00" } });
  operationId = String(deposit.body["operationId"]);
  await createOrder(api.db, orderOfAlice());
  const held = await api.ledger.post(
    placeHoldOperation({
      key: "hold-of-alice",
      holdId: RESERVATION,
      userId: ALICE,
      serviceId: "music",
      orderId: "cart",
      currency: "RUB",
      amountMinor: 100n,
      expiresAt: new Date(Date.now() + 600_000).toISOString(),
      requestHash: "hash",
      comment: "of Alice",
      origin: { caller: ALICE, correlationId: "c", workflowId: `reservation/${RESERVATION}` },
    }),
  );
  if (held.outcome !== "done") throw new Error(`Alice has no reservation: ${JSON.stringify(held)}`);
}

/**
 * One case for each route that a user may call: what the owner of the data gets, and that another user gets exactly what a missing
 * resource gives. A route without a case fails its test.
 */
export const OWN_DATA_CASES: Readonly<Record<string, (askers: Askers) => Promise<Seen>>> = {
  "GET /api/v1/balances/{userId}": hidden("GET", "/api/v1/balances/alice", 404),
  "GET /api/v1/balances/{userId}/operations": hidden("GET", "/api/v1/balances/alice/operations", 404),
  "GET /api/v1/operations/{operationId}": sameAsAbsent(
    "GET",
    (id) => `/api/v1/operations/${id}`,
    () => operationId,
    "999999",
  ),
  "GET /api/v1/operations/{operationId}/why": sameAsAbsent(
    "GET",
    (id) => `/api/v1/operations/${id}/why`,
    () => operationId,
    "999999",
  ),
  "GET /api/v1/orders": narrowed("/api/v1/orders", "orders"),
  "GET /api/v1/orders/{orderId}": sameAsAbsent(
    "GET",
    (id) => `/api/v1/orders/${id}`,
    () => ORDER,
    "no-such-order",
  ),
  "POST /api/v1/orders": refusedForAnother("/api/v1/orders", { userId: ALICE, items: [{ serviceId: "music", amount: "1.00" }] }),
  "POST /api/v1/orders/{orderId}/cancel": sameAsAbsent(
    "POST",
    (id) => `/api/v1/orders/${id}/cancel`,
    () => ORDER,
    "no-such-order",
  ),
  "DELETE /api/v1/orders/{orderId}": sameAsAbsent(
    "DELETE",
    (id) => `/api/v1/orders/${id}`,
    () => ORDER,
    "no-such-order",
  ),
  "PATCH /api/v1/orders/{orderId}": sameAsAbsent(
    "PATCH",
    (id) => `/api/v1/orders/${id}`,
    () => ORDER,
    "no-such-order",
    { comment: "changed" },
  ),
  // The owner's stream stays open for as long as the order runs, so only the other user asks.
  "GET /api/v1/orders/{orderId}/events": refusedStream((id) => `/api/v1/orders/${id}/events`),
  "GET /api/v1/orders/{orderId}/refunds": sameAsAbsent(
    "GET",
    (id) => `/api/v1/orders/${id}/refunds`,
    () => ORDER,
    "no-such-order",
  ),
  "GET /api/v1/orders/{orderId}/timeline": sameAsAbsent(
    "GET",
    (id) => `/api/v1/orders/${id}/timeline`,
    () => ORDER,
    "no-such-order",
  ),
  "GET /api/v1/orders/{orderId}/undo-plan": sameAsAbsent(
    "GET",
    (id) => `/api/v1/orders/${id}/undo-plan`,
    () => ORDER,
    "no-such-order",
  ),
  "GET /api/v1/reservations": narrowed("/api/v1/reservations", "reservations"),
  "GET /api/v1/reservations/{reservationId}": sameAsAbsent(
    "GET",
    (id) => `/api/v1/reservations/${id}`,
    () => RESERVATION,
    "none",
  ),
  "GET /api/v1/reservations/{reservationId}/timeline": sameAsAbsent(
    "GET",
    (id) => `/api/v1/reservations/${id}/timeline`,
    () => RESERVATION,
    "none",
  ),
  "GET /api/v1/services": everyones("/api/v1/services"),
  "GET /api/v1/services/{serviceId}": everyones("/api/v1/services/music"),
  "GET /api/v1/auth/me": onesOwn("/api/v1/auth/me"),
  "POST /api/v1/auth/logout": endsOnlyItself("/api/v1/auth/logout"),
  // Neither has a login: a password is asked of the caller alone, whoever that is.
  "POST /api/v1/auth/password": changesOnlyOnesOwn("/api/v1/auth/password"),
};

function orderOfAlice(): NewOrder {
  return {
    orderId: ORDER,
    userId: ALICE,
    currency: "RUB",
    totalMinor: "100",
    paymentMethod: "wallet",
    lines: [{ lineNo: 1, serviceId: "music", quantity: 1, amountMinor: "100" }],
    comment: "of Alice",
    requestHash: "hash",
    correlationId: "c",
    caller: ALICE,
    workflowId: `order/${ORDER}`,
  };
}

const statusAndCode = ({ status, body }: TestAnswer) => [status, body["code"]];

/** The owner sees something; the other user gets this status. */
function hidden(method: string, path: string, status: number) {
  return async ({ asOwner, asOther }: Askers): Promise<Seen> => ({
    owner: (await asOwner(method, path)).status,
    expectedOfOwner: 200,
    other: (await asOther(method, path)).status,
    expectedOfOther: status,
  });
}

/** The other user gets what a missing resource gives; the owner gets something else. */
function sameAsAbsent(method: string, path: (id: string) => string, id: () => string, absentId: string, body?: unknown) {
  const options = body === undefined ? {} : { body };
  return async ({ asOwner, asOther }: Askers): Promise<Seen> => {
    const absent = statusAndCode(await asOther(method, path(absentId), options));
    const owner = statusAndCode(await asOwner(method, path(id()), options));
    return {
      owner: JSON.stringify(owner) === JSON.stringify(absent) ? owner : "something else",
      expectedOfOwner: "something else",
      other: statusAndCode(await asOther(method, path(id()), options)),
      expectedOfOther: absent,
    };
  };
}

function refusedStream(path: (id: string) => string) {
  return async ({ asOther }: Askers): Promise<Seen> => ({
    owner: "not asked",
    expectedOfOwner: "not asked",
    other: statusAndCode(await asOther("GET", path(ORDER))),
    expectedOfOther: [404, "ORDER_NOT_FOUND"],
  });
}

/** A list has the caller's own rows only, also when the other user names the owner in the query. */
function narrowed(path: string, member: string) {
  return async ({ asOwner, asOther }: Askers): Promise<Seen> => {
    const rowsOf = (answer: TestAnswer) => (answer.status === 200 ? (answer.body[member] as unknown[]).length : 0);
    const plain = rowsOf(await asOther("GET", path));
    const named = rowsOf(await asOther("GET", `${path}?userId=${ALICE}`));
    const own = await asOwner("GET", `${path}?userId=${ALICE}`);
    return { owner: rowsOf(own) > 0, expectedOfOwner: true, other: [plain, named], expectedOfOther: [0, 0] };
  };
}

function refusedForAnother(path: string, body: unknown) {
  return async ({ asOwner, asOther }: Askers): Promise<Seen> => ({
    owner: (await asOwner("POST", path, { body })).status === 404,
    expectedOfOwner: false,
    other: (await asOther("POST", path, { body })).status,
    expectedOfOther: 404,
  });
}

/** The resource belongs to no user. */
function everyones(path: string) {
  return async ({ asOwner, asOther }: Askers): Promise<Seen> => ({
    owner: (await asOwner("GET", path)).status,
    expectedOfOwner: 200,
    other: (await asOther("GET", path)).status,
    expectedOfOther: 200,
  });
}

/** Each user sees their own account. */
function onesOwn(path: string) {
  return async ({ asOwner, asOther }: Askers): Promise<Seen> => ({
    owner: JSON.stringify((await asOwner("GET", path)).body).includes(ALICE),
    expectedOfOwner: true,
    other: JSON.stringify((await asOther("GET", path)).body).includes(ALICE),
    expectedOfOther: false,
  });
}

function changesOnlyOnesOwn(path: string) {
  const body = { oldPassword: "not the password", newPassword: "a long enough one" };
  return async ({ asOwner, asOther }: Askers): Promise<Seen> => ({
    owner: statusAndCode(await asOwner("POST", path, { body })),
    expectedOfOwner: [401, "INVALID_CREDENTIALS"],
    other: statusAndCode(await asOther("POST", path, { body })),
    expectedOfOther: [401, "INVALID_CREDENTIALS"],
  });
}

/** The route takes no id of a user: it acts on the caller's token. */
function endsOnlyItself(path: string) {
  return async ({ asOwner, asOther }: Askers): Promise<Seen> => ({
    owner: (await asOwner("POST", path)).status,
    expectedOfOwner: 204,
    other: (await asOther("POST", path)).status,
    expectedOfOther: 204,
  });
}
