import { randomUUID } from "node:crypto";
import type { Starters } from "../../src/starters/index.ts";
import { createTestApi, type TestAnswer, type TestApi } from "./http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "./http-system.ts";
import { createTestDatabase, type TestDatabase } from "./test-database.ts";

/** What the tests look at of a line of an order. */
export type Line = Record<"reservationId" | "serviceId" | "status" | "held" | "expiresAt" | "outcome" | "code", string>;

/** Reservations of orders with several lines, on real workflows and a database of their own. */
export interface LineShop {
  readonly api: TestApi;
  readonly database: TestDatabase;
  readonly workflows: TestWorkflows;
  /** An API of its own, with these starters in place of the real ones. */
  apiWith(starters: Partial<Starters>): TestApi;
  deposit(user: string, amount: string): Promise<TestAnswer>;
  balance(user: string): Promise<Record<string, unknown>>;
  /** Places lines of the user's order together. */
  place(user: string, lines: readonly object[], key?: string, by?: TestApi): Promise<TestAnswer>;
  /** Confirms or releases by the user's order. */
  act(verb: "confirm" | "release", user: string, more?: Record<string, unknown>, key?: string, by?: TestApi): Promise<TestAnswer>;
  /** The reservations of the user's order. */
  listed(user: string): Promise<Line[]>;
  heldOf(user: string): Promise<number>;
  close(): Promise<void>;
}

export const line = (serviceId: string, amount: string) => ({ serviceId, amount });
/** Lines of 90.00 together. */
export const THREE = [line("seat", "40"), line("meal", "30"), line("bag", "20")] as const;

type Body = Record<string, unknown>;
const orderIn = (body: Body) => (body["order"] as Body | undefined) ?? body;
/** The lines of an answer, or of the problem that tells them. */
export const linesOf = (body: Body) => orderIn(body)["lines"] as Line[];
export const totalsOf = (body: Body) => orderIn(body)["totals"];
/** These members of each line. */
export const pick = (body: Body, ...names: (keyof Line)[]) => linesOf(body).map((one) => names.map((name) => one[name]));
/** As `pick`, by service. */
export const pickSorted = (body: Body, ...names: (keyof Line)[]) =>
  linesOf(body)
    .toSorted((one, other) => one.serviceId.localeCompare(other.serviceId))
    .map((found) => names.map((name) => found[name]));

/** Opens the shop, which sells a seat, a meal and a bag. */
export async function openLineShop(): Promise<LineShop> {
  const database = await createTestDatabase();
  const workflows = await startTestWorkflows(database.appUrl, ["orders"]);
  const opened: TestApi[] = [];
  const apiWith = (starters: Partial<Starters>): TestApi => {
    const one = createTestApi({ databaseUrl: database.appUrl, starters: { ...workflows.starters, ...starters } });
    opened.push(one);
    return one;
  };
  const api = apiWith({});
  for (const id of ["seat", "meal", "bag"]) await api.call("POST", "/api/v1/services", { body: { id, name: id } });
  const listed = async (user: string) =>
    (await api.call("GET", `/api/v1/reservations?userId=${user}&orderId=order-of-${user}`)).body["reservations"] as Line[];
  const order = (user: string) => ({ userId: user, orderId: `order-of-${user}` });
  return {
    api,
    database,
    workflows,
    apiWith,
    deposit: (user, amount) => api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount } }),
    balance: async (user) => (await api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body,
    place: (user, lines, key = randomUUID(), by = api) =>
      by.call("POST", "/api/v1/reservations/lines", { key, body: { ...order(user), lines } }),
    act: (verb, user, more = {}, key = randomUUID(), by = api) =>
      by.call("POST", `/api/v1/reservations/${verb}`, { key, body: { ...order(user), ...more } }),
    listed,
    heldOf: async (user) => (await listed(user)).filter(({ status }) => status === "held").length,
    async close() {
      await Promise.all(opened.map((one) => one.close()));
      await workflows.close();
      await database.drop();
    },
  };
}
