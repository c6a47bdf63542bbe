import { describe, expect, test } from "vitest";
import { formatAmount } from "../base/money.ts";
import { planDemo } from "./demo/demo-plan.ts";
import { demoAsJson, demoAsText, isRight } from "./demo/demo-report.ts";
import { countSteps, runDemo } from "./demo/demo-run.ts";
import type { DemoShop, ShownOrder, ShownReservation } from "./demo/demo-shop.ts";

const money = (amountMinor: bigint) => formatAmount(amountMinor, "RUB");

/** A shop that keeps its books in memory. `lost` is money that disappears from the first user. */
function fakeShop(lost = 0n): DemoShop & { readonly inFlight: () => number } {
  const available = new Map<string, bigint>();
  const orders: ShownOrder[] = [];
  const reservations: ShownReservation[] = [];
  let running = 0;
  let most = 0;
  const change = (userId: string, amountMinor: bigint) => available.set(userId, (available.get(userId) ?? 0n) + amountMinor);
  const later = async <Value>(value: () => Value): Promise<Value> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setTimeout(resolve, 1));
    running -= 1;
    return value();
  };
  const find = (id: string) => reservations.find(({ reservationId }) => reservationId === id) as ShownReservation;
  const minor = (decimal: string) => BigInt(decimal.replace(".", ""));
  const settle = (reservation: ShownReservation, confirmedMinor: bigint, releasedMinor: bigint, status: ShownReservation["status"]) => {
    change(reservation.userId, releasedMinor);
    Object.assign(reservation, {
      status,
      confirmed: money(minor(reservation.confirmed) + confirmedMinor),
      released: money(minor(reservation.released) + releasedMinor),
      held: money(minor(reservation.held) - confirmedMinor - releasedMinor),
    });
    return reservation;
  };
  const place = (input: { name: string; userId: string; items: readonly { amountMinor: bigint }[] }, cancelled: boolean) => {
    const totalMinor = input.items.reduce((sum, item) => sum + item.amountMinor, 0n);
    const refused = (available.get(input.userId) ?? 0n) < totalMinor;
    if (!refused && !cancelled) change(input.userId, -totalMinor);
    const code = refused ? "INSUFFICIENT_FUNDS" : "ORDER_CANCELLED";
    const order = {
      userId: input.userId,
      status: refused || cancelled ? "CANCELLED" : "CONFIRMED",
      sagaState: refused || cancelled ? "FAILED" : "COMPLETED",
      total: money(totalMinor),
      failure: { code, message: "" },
    };
    orders.push(order as ShownOrder);
    return order as ShownOrder;
  };
  return {
    inFlight: () => most,
    addServices: async () => {},
    deposit: ({ userId, amountMinor }) => later(() => void change(userId, amountMinor)),
    order: (input) => later(() => place(input, false)),
    orderAndCancel: (input) => later(() => place(input, true)),
    reserve: ({ name, userId, amountMinor }) =>
      later(() => {
        if ((available.get(userId) ?? 0n) < amountMinor) return undefined;
        change(userId, -amountMinor);
        const reservation = {
          reservationId: name,
          userId,
          status: "held",
          amount: money(amountMinor),
          confirmed: "0.00",
          released: "0.00",
          held: money(amountMinor),
        } as ShownReservation;
        reservations.push(reservation);
        return reservation;
      }),
    confirm: (id, _name, amountMinor) =>
      later(() => settle(find(id), amountMinor ?? minor(find(id).held), 0n, amountMinor === undefined ? "confirmed" : "held")),
    release: (id) => later(() => settle(find(id), 0n, minor(find(id).held), "released")),
    reservation: (id) => later(() => (find(id).status === "held" ? settle(find(id), 0n, minor(find(id).held), "expired") : find(id))),
    ordersOf: (userId) => later(() => orders.filter((order) => order.userId === userId)),
    reservationsOf: (userId) => later(() => reservations.filter((reservation) => reservation.userId === userId)),
    balanceOf: (userId) =>
      later(() => ({ available: money((available.get(userId) ?? 0n) - (userId.endsWith("-1") ? lost : 0n)), held: "0.00" })),
  };
}

const context = { run: "demo-1", currency: "RUB", elapsedMs: 1_000 };

describe("the demo", () => {
  test("equal seeds plan the same, other seeds something else", () => {
    expect(planDemo({ orders: 50, seed: 7 })).toEqual(planDemo({ orders: 50, seed: 7 }));
    expect(planDemo({ orders: 50, seed: 8 })).not.toEqual(planDemo({ orders: 50, seed: 7 }));
  });

  test("does every kind of thing, at most 16 at a time, and finds that all adds up", async () => {
    const plan = planDemo({ orders: 200, seed: 1 });
    const shop = fakeShop();
    let steps = 0;
    const result = await runDemo(shop, plan, (done) => {
      steps = done;
    });
    expect(isRight(result)).toBe(true);
    expect(steps).toBe(countSteps(plan));
    expect(shop.inFlight()).toBeLessThanOrEqual(16 * 3);
    const what = result.counts.map((count) => count.what);
    for (const kind of [
      "deposits",
      "orders completed",
      "orders refused (INSUFFICIENT_FUNDS)",
      "orders cancelled",
      "reservations confirmed",
      "reservations released",
      "reservations expired by themselves",
    ])
      expect(what).toContain(kind);
    expect(demoAsText(result, context)).toMatch(/adds up: yes$/);
  });

  test("a single lost kopeck is found and named", async () => {
    const result = await runDemo(fakeShop(1n), planDemo({ orders: 20, seed: 1 }), () => {});
    expect(isRight(result)).toBe(false);
    expect(demoAsText(result, context)).toMatch(/wrong: demo-1-user-1 [\s\S]*adds up: NO$/);
    expect(demoAsJson(result, context)).toMatchObject({ addsUp: false, wrong: [{ userId: "demo-1-user-1" }] });
  });
});
