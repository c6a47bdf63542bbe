import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { madePurchaseComment, toldPurchaseComment, usernameIn } from "./purchase-comment.ts";

const name = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 255 }),
  fc.constantFrom("ann", "Анна", '"', "\\", 'a" paid by "b', "a paid by wallet", "a paid by b (visa ****1111)", "x, event t/0/1"),
);

describe("the name of a purchase's user", () => {
  it("is read from the comment as it was, over HTTP", () => {
    const paid = fc.constantFrom(
      { paymentMethod: "wallet" },
      { paymentMethod: "credit_card", card: { brand: "visa", last4: "4242" } },
      { paymentMethod: "debit_card", card: { brand: "mir", last4: "0004" } },
    );
    fc.assert(
      fc.property(name, paid, (username, by) => {
        expect(usernameIn(madePurchaseComment(username, by), "http")).toBe(username);
      }),
    );
  });

  it("is read from the comment as it was, whatever the method of an event is", () => {
    fc.assert(
      fc.property(name, name, (username, method) => {
        expect(usernameIn(toldPurchaseComment(username, method, "purchases/0/1"), "kafka")).toBe(username);
      }),
    );
  });

  it("is not there where an event had none, and in the comments of earlier releases", () => {
    expect(usernameIn(toldPurchaseComment(undefined, '"x" paid by', "t/0/1"), "kafka")).toBeUndefined();
    expect(usernameIn("purchase paid by credit_card, event purchases/0/1", "kafka")).toBeUndefined();
    expect(usernameIn("something else", "http")).toBeUndefined();
  });
});
