import { setTimeout as sleep } from "node:timers/promises";
import { sideBySide } from "../../base/side-by-side.ts";
import type { DemoAction, DemoPlan } from "./demo-plan.ts";
import type { DemoShop, ShownOrder } from "./demo-shop.ts";

/** How often an action was done and how long each took, in milliseconds. */
export interface DemoCount {
  readonly what: string;
  readonly timesMs: readonly number[];
}

/** The money of one user at the end, in minor units. */
export interface UserBooks {
  readonly userId: string;
  readonly depositedMinor: bigint;
  readonly availableMinor: bigint;
  readonly heldMinor: bigint;
  readonly spentMinor: bigint;
  /** deposited = available + held + spent, and held is what the reservations still hold. */
  readonly addsUp: boolean;
}

export interface DemoResult {
  readonly counts: readonly DemoCount[];
  readonly books: readonly UserBooks[];
}

export const DEMO_CONCURRENCY = 16;
const LONG_TTL_MS = 600_000;
const SHORT_TTL_MS = 1_500;
const EXPIRY_DEADLINE_MS = 60_000;
const POLL_MS = 250;

/** Carries out the plan with 16 calls in flight, waits until the reservations left to expire have expired, and reads every user's books. */
export async function runDemo(shop: DemoShop, plan: DemoPlan, onProgress: (done: number) => void): Promise<DemoResult> {
  const timesMs = new Map<string, number[]>();
  let done = 0;
  const timed = async (work: () => Promise<string>) => {
    const startedAtMs = performance.now();
    const what = await work();
    const times = timesMs.get(what) ?? [];
    times.push(performance.now() - startedAtMs);
    timesMs.set(what, times);
    done += 1;
    onProgress(done);
  };

  await shop.addServices(plan.services);
  await sideBySide(plan.deposits, DEMO_CONCURRENCY, (deposit) =>
    timed(async () => {
      await shop.deposit(deposit);
      return "deposits";
    }),
  );
  const toExpire: string[] = [];
  await sideBySide(plan.actions, DEMO_CONCURRENCY, (action) => timed(() => act(shop, action, toExpire)));
  await sideBySide(toExpire, DEMO_CONCURRENCY, (reservationId) => timed(() => untilExpired(shop, reservationId)));

  const books: UserBooks[] = [];
  await sideBySide(plan.userIds, DEMO_CONCURRENCY, async (userId) => void books.push(await readBooks(shop, plan, userId)));
  return {
    counts: [...timesMs].map(([what, times]) => ({ what, timesMs: times })).toSorted((left, right) => left.what.localeCompare(right.what)),
    books: books.toSorted((left, right) => left.userId.localeCompare(right.userId)),
  };
}

/** How many steps the plan has, for a progress bar. */
export function countSteps(plan: DemoPlan): number {
  return plan.deposits.length + plan.actions.length + plan.actions.filter(({ kind }) => kind === "reservation left to expire").length;
}

async function act(shop: DemoShop, action: DemoAction, toExpire: string[]): Promise<string> {
  switch (action.kind) {
    case "order":
    case "order too expensive":
      return describeOrder(await shop.order(action));
    case "order cancelled": {
      const order = await shop.orderAndCancel(action);
      return order.status === "CONFIRMED" ? "orders that were done before their cancel" : describeOrder(order);
    }
    case "reservation confirmed":
    case "reservation confirmed in part":
    case "reservation released":
    case "reservation left to expire":
      return reserve(shop, action, toExpire);
  }
}

async function reserve(shop: DemoShop, action: Extract<DemoAction, { serviceId: string }>, toExpire: string[]): Promise<string> {
  const { kind, name, amountMinor } = action;
  const reservation = await shop.reserve({ ...action, ttlMs: kind === "reservation left to expire" ? SHORT_TTL_MS : LONG_TTL_MS });
  if (reservation === undefined) return "reservations refused";
  const { reservationId } = reservation;
  switch (kind) {
    case "reservation confirmed":
      await shop.confirm(reservationId, name);
      return "reservations confirmed";
    case "reservation confirmed in part":
      await shop.confirm(reservationId, name, amountMinor / 2n);
      await shop.release(reservationId, name);
      return "reservations confirmed in part, the rest released";
    case "reservation released":
      await shop.release(reservationId, name);
      return "reservations released";
    case "reservation left to expire":
      toExpire.push(reservationId);
      return "reservations left to expire";
  }
}

async function untilExpired(shop: DemoShop, reservationId: string): Promise<string> {
  const deadlineAtMs = performance.now() + EXPIRY_DEADLINE_MS;
  while (performance.now() < deadlineAtMs) {
    if ((await shop.reservation(reservationId)).status === "expired") return "reservations expired by themselves";
    await sleep(POLL_MS);
  }
  return "reservations that DID NOT EXPIRE";
}

function describeOrder(order: ShownOrder): string {
  if (order.sagaState === "COMPLETED") return "orders completed";
  return order.failure?.code === "ORDER_CANCELLED" ? "orders cancelled" : `orders refused (${order.failure?.code ?? "no reason"})`;
}

async function readBooks(shop: DemoShop, plan: DemoPlan, userId: string): Promise<UserBooks> {
  const [balance, orders, reservations] = await Promise.all([shop.balanceOf(userId), shop.ordersOf(userId), shop.reservationsOf(userId)]);
  const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amountMinor) => total + amountMinor, 0n);
  const depositedMinor = sum(plan.deposits.filter((deposit) => deposit.userId === userId).map(({ amountMinor }) => amountMinor));
  const spentMinor =
    sum(orders.filter(({ sagaState }) => sagaState === "COMPLETED").map(({ total }) => minorOf(total))) +
    sum(reservations.map(({ confirmed }) => minorOf(confirmed)));
  const availableMinor = minorOf(balance.available);
  const heldMinor = minorOf(balance.held);
  const reservedMinor = sum(reservations.map(({ held }) => minorOf(held)));
  return {
    userId,
    depositedMinor,
    availableMinor,
    heldMinor,
    spentMinor,
    addsUp: depositedMinor === availableMinor + heldMinor + spentMinor && heldMinor === reservedMinor,
  };
}

// Amounts in answers have exactly the currency's decimals. `parseAmount` would refuse zero.
function minorOf(decimal: string): bigint {
  return BigInt(decimal.replace(".", ""));
}
