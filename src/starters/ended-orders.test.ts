import { describe, expect, it } from "vitest";
import { createEndedOrders } from "./ended-orders.ts";

const END = { orderId: "o-1", sagaState: "COMPLETED" } as const;

describe("the orders that end in this process", () => {
  it("are told to everyone who waits for them, and to nobody else", async () => {
    const orders = createEndedOrders();
    const [first, second, other] = [orders.expect("o-1"), orders.expect("o-1"), orders.expect("o-2")];
    let otherEnded = false;
    void other.end.then(() => (otherEnded = true));
    orders.tell(END);
    expect(await Promise.all([first.end, second.end])).toEqual([END, END]);
    expect(otherEnded).toBe(false);
  });

  it("are still told to one who waits when another has given up", async () => {
    const orders = createEndedOrders();
    const [first, second] = [orders.expect("o-1"), orders.expect("o-1")];
    first.drop();
    first.drop();
    orders.tell(END);
    expect(await second.end).toEqual(END);
  });

  it("are told when nobody waits, which changes nothing for a later wait", async () => {
    const orders = createEndedOrders();
    orders.tell(END);
    const later = orders.expect("o-1");
    orders.tell({ ...END, sagaState: "FAILED" });
    expect(await later.end).toMatchObject({ sagaState: "FAILED" });
  });

  it("are no more than a bound, and those that are waited for longest make room", async () => {
    const orders = createEndedOrders(2);
    const waits = ["o-1", "o-2", "o-3"].map((orderId) => orders.expect(orderId));
    expect(orders.size()).toBe(2);
    for (const orderId of ["o-2", "o-3"]) orders.tell({ ...END, orderId });
    expect(await Promise.all(waits.slice(1).map(({ end }) => end))).toMatchObject([{ orderId: "o-2" }, { orderId: "o-3" }]);
    for (const wait of waits) wait.drop();
    expect(orders.size()).toBe(0);
  });
});
