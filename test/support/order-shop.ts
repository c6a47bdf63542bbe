import { sql } from "drizzle-orm";
import { expect } from "vitest";
import { SILENT_LOG } from "../../src/adapters/log.ts";
import { uuidOf } from "../../src/base/hash.ts";
import { LOCAL_PRINCIPAL } from "../../src/contract/identity.ts";
import { requestKey } from "../../src/contract/ids.ts";
import { auditBooks } from "../../src/store/ledger/audit.ts";
import { createFakePsp, type FakePsp } from "./fake-psp.ts";
import { createTestApi, type TestAnswer, type TestApi } from "./http-api.ts";
import { startTestWorkflows, type TestWorkflows } from "./http-system.ts";
import { createTestDatabase } from "./test-database.ts";
import { until } from "./until.ts";

/** A shop with the services `gig` and `record`, over real workflows and a provider in memory. */
export interface OrderShop {
  readonly api: TestApi;
  readonly databaseUrl: string;
  readonly psp: FakePsp;
  readonly workflows: TestWorkflows;
  close(): Promise<void>;
}

export const CARD_NUMBER = "4242424242424242";
export const card = { number: CARD_NUMBER, expiry: "12/39", cvc: "123", holderName: "ANNA" };

/** Opens the shop. Its orders are parked at their first slow retry, and an order by card waits a minute for its provider. */
export async function openOrderShop(): Promise<OrderShop> {
  const database = await createTestDatabase();
  const psp = createFakePsp();
  const workflows = await startTestWorkflows(database.appUrl, ["orders", "payments"], SILENT_LOG, psp);
  const orders = { paymentDeadlineMs: 60_000, compensationFastRetries: 1 };
  const api = createTestApi({ databaseUrl: database.appUrl, starters: workflows.starters, psp, settings: { orders } });
  await api.call("POST", "/api/v1/services", {
    body: {
      services: [
        { id: "gig", name: "Gig" },
        { id: "record", name: "Record" },
      ],
    },
  });
  return {
    api,
    databaseUrl: database.appUrl,
    psp,
    workflows,
    async close() {
      await api.close();
      await workflows.close();
      await database.drop();
    },
  };
}

/** The requests of the shop's customers and operators. */
export function createOrderClient(shop: () => OrderShop) {
  let keys = 0;
  const read = async (orderId: string) => (await shop().api.call("GET", `/api/v1/orders/${orderId}`)).body;
  function place(
    user: string,
    options: { byCard?: boolean; prefer?: string; key?: string; query?: string; amounts?: string[] } = {},
  ): Promise<TestAnswer> {
    const { byCard = false, prefer = "wait=20", key = `key-${(keys += 1)}`, query = "", amounts = ["70", "30"] } = options;
    return shop().api.call("POST", `/api/v1/orders${query}`, {
      key,
      headers: { prefer },
      body: {
        userId: user,
        items: amounts.map((amount, n) => ({ serviceId: n % 2 === 0 ? "gig" : "record", amount })),
        ...(byCard ? { payment: { method: "card", card } } : {}),
      },
    });
  }

  return {
    read,
    place,
    deposit: (user: string, amount: string) => shop().api.call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount } }),
    balance: async (user: string) => (await shop().api.call("GET", `/api/v1/balances/${user}?currency=RUB`)).body,
    /** An order under the key, and what its provider is told to do before it is placed. */
    async placeWith(faults: (orderId: string) => void, key: string, user = "carl"): Promise<string> {
      // The id is made of the key, so it is known before anything happens.
      const orderId = uuidOf(requestKey({ caller: LOCAL_PRINCIPAL.subject, route: "orders", idempotencyKey: key }));
      faults(orderId);
      await place(user, { byCard: true, key, prefer: "respond-async" });
      return orderId;
    },
    /** The order, as soon as `holds` says so of it. */
    async untilIs(orderId: string, holds: (order: Record<string, unknown>) => boolean) {
      let order: Record<string, unknown> = {};
      await until(
        "the order is as wanted",
        async () => {
          order = await read(orderId);
          return holds(order);
        },
        40_000,
      );
      return order;
    },
    async revenueOf(serviceId: string) {
      const [row] = await shop().api.db.execute<{ balance: string }>(
        sql`select balance_minor::text as balance from accounts where kind = 'revenue' and owner = ${serviceId}`,
      );
      return BigInt(row?.balance ?? 0);
    },
  };
}

/** The books of the shop are right, and agree with the provider's. */
export async function expectRightBooks({ api, psp }: Pick<OrderShop, "api" | "psp">): Promise<void> {
  expect((await auditBooks(api.db)).findings.flatMap(({ examples }) => examples)).toEqual([]);
  const [ledger] = await api.db.execute<{ total: string }>(
    sql`select coalesce(-sum(balance_minor), 0)::text as total from accounts where kind = 'psp'`,
  );
  const orderIds = new Set([...psp.book.values()].map(({ orderId }) => orderId));
  expect(BigInt(ledger?.total ?? 0)).toBe([...orderIds].reduce((sum, orderId) => sum + psp.netOf(orderId), 0n));
}
