import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { depositSchema, currencyBalanceSchema } from "../../api/money/balances-schemas.ts";
import { orderAcceptedSchema, orderListSchema, orderSchema } from "../../api/orders/orders-schemas.ts";
import { reservationListSchema, reservationSchema } from "../../api/reservations/reservations-schemas.ts";
import { formatAmount } from "../../base/money.ts";
import {
  ApiUnreachable,
  describeAnswer,
  readAnswer,
  UnexpectedAnswer,
  type ApiAnswer,
  type ApiClient,
  type PostOptions,
} from "../kit/api-client.ts";
import type { DemoItem, DemoPlan } from "./demo-plan.ts";

export type ShownOrder = z.infer<typeof orderSchema>;
export type ShownReservation = z.infer<typeof reservationSchema>;

/** The calls that the demo makes of the API, in the words of a shop. Every call survives short outages: it is repeated under the same key. */
export interface DemoShop {
  addServices(services: DemoPlan["services"]): Promise<void>;
  deposit(input: { name: string; userId: string; amountMinor: bigint }): Promise<void>;
  order(input: { name: string; userId: string; items: readonly DemoItem[] }): Promise<ShownOrder>;
  /** Places an order without waiting for it and cancels it at once. */
  orderAndCancel(input: { name: string; userId: string; items: readonly DemoItem[] }): Promise<ShownOrder>;
  reserve(input: {
    name: string;
    userId: string;
    serviceId: string;
    amountMinor: bigint;
    ttlMs: number;
  }): Promise<ShownReservation | undefined>;
  confirm(reservationId: string, name: string, amountMinor?: bigint): Promise<ShownReservation>;
  release(reservationId: string, name: string): Promise<ShownReservation>;
  reservation(reservationId: string): Promise<ShownReservation>;
  ordersOf(userId: string): Promise<ShownOrder[]>;
  reservationsOf(userId: string): Promise<ShownReservation[]>;
  balanceOf(userId: string): Promise<{ available: string; held: string }>;
}

const ATTEMPTS = 40;
const PAUSE_MS = 500;

/** A shop that talks to the API through `client` in one currency. Throws: UnexpectedAnswer, ApiUnreachable. */
export function createDemoShop(client: ApiClient, currency: string): DemoShop {
  const money = (amountMinor: bigint) => formatAmount(amountMinor, currency);
  const get = (path: string) => patiently(() => client.get(path));
  const post = (path: string, body: unknown, options: PostOptions = {}) => patiently(() => client.post(path, body, options));
  const newOrder = ({ userId, items }: { userId: string; items: readonly DemoItem[] }) => ({
    userId,
    currency,
    items: items.map(({ serviceId, amountMinor }) => ({ serviceId, amount: money(amountMinor) })),
    comment: "npm run demo",
  });

  const readOrder = async (path: string): Promise<ShownOrder> => {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const answer = await get(path);
      const order = answer.status === 200 ? readAnswer(answer, [200], orderSchema) : undefined;
      if (order !== undefined && (order.sagaState === "COMPLETED" || order.sagaState === "FAILED")) return order;
      await sleep(PAUSE_MS);
    }
    throw new UnexpectedAnswer(`the order at ${path} comes to no end`);
  };

  return {
    async addServices(services) {
      expectStatus(await post("/api/v1/services", { services }), [200, 201]);
    },
    async deposit({ name, userId, amountMinor }) {
      const answer = await post(
        `/api/v1/balances/${userId}/deposits`,
        { amount: money(amountMinor), currency, comment: "npm run demo" },
        { idempotencyKey: name },
      );
      readAnswer(answer, [201], depositSchema);
    },
    async order(input) {
      const answer = await post("/api/v1/orders", newOrder(input), { idempotencyKey: input.name, prefer: "wait=30" });
      return answer.status === 202
        ? readOrder(readAnswer(answer, [202], orderAcceptedSchema).links.self)
        : readAnswer(answer, [201], orderSchema);
    },
    async orderAndCancel(input) {
      const placed = await post("/api/v1/orders", newOrder(input), { idempotencyKey: input.name, prefer: "respond-async" });
      const { self } = readAnswer(placed, [201, 202], orderAcceptedSchema).links;
      expectStatus(await post(`${self}/cancel`, { reason: "npm run demo" }), [200, 409]);
      return readOrder(self);
    },
    async reserve({ name, userId, serviceId, amountMinor, ttlMs }) {
      const body = { userId, serviceId, orderId: name, amount: money(amountMinor), currency, ttlMs, comment: "npm run demo" };
      const answer = await post("/api/v1/reservations", body, { idempotencyKey: name });
      if (answer.status === 422) return undefined;
      return readAnswer(answer, [201], reservationSchema);
    },
    async confirm(reservationId, name, amountMinor) {
      const body = amountMinor === undefined ? {} : { amount: money(amountMinor) };
      return readAnswer(
        await post(`/api/v1/reservations/${reservationId}/confirm`, body, { idempotencyKey: `${name}-confirm` }),
        [200],
        reservationSchema,
      );
    },
    async release(reservationId, name) {
      return readAnswer(
        await post(`/api/v1/reservations/${reservationId}/release`, {}, { idempotencyKey: `${name}-release` }),
        [200],
        reservationSchema,
      );
    },
    reservation: async (reservationId) => readAnswer(await get(`/api/v1/reservations/${reservationId}`), [200], reservationSchema),
    ordersOf: (userId) =>
      allPages(get, `/api/v1/orders?userId=${userId}`, (answer) => {
        const page = readAnswer(answer, [200], orderListSchema);
        return { rows: page.orders, nextCursor: page.nextCursor };
      }),
    reservationsOf: (userId) =>
      allPages(get, `/api/v1/reservations?userId=${userId}`, (answer) => {
        const page = readAnswer(answer, [200], reservationListSchema);
        return { rows: page.reservations, nextCursor: page.nextCursor };
      }),
    balanceOf: async (userId) => readAnswer(await get(`/api/v1/balances/${userId}?currency=${currency}`), [200], currencyBalanceSchema),
  };
}

async function allPages<Row>(
  get: (path: string) => Promise<ApiAnswer>,
  path: string,
  read: (answer: ApiAnswer) => { rows: Row[]; nextCursor: string | undefined },
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  do {
    const page = read(await get(`${path}&limit=100${cursor === undefined ? "" : `&cursor=${cursor}`}`));
    rows.push(...page.rows);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return rows;
}

// Every call of the demo may be sent again: reads change nothing, and a repeated write has no second effect, mostly by its idempotency key.
async function patiently(send: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await send();
      if (answer.status !== 503 || attempt >= ATTEMPTS) return answer;
    } catch (error) {
      if (!(error instanceof ApiUnreachable) || attempt >= ATTEMPTS) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

function expectStatus(answer: ApiAnswer, statuses: readonly number[]): void {
  if (!statuses.includes(answer.status)) throw new UnexpectedAnswer(describeAnswer(answer));
}
