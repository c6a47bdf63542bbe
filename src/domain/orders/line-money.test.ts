import { expect, test } from "vitest";
import type { PaymentStatus } from "../../contract/orders.ts";
import { lineMoneyOf } from "./line-money.ts";

const payment = (status: PaymentStatus, authorisedMinor: bigint, capturedMinor = 0n, refundedMinor = 0n) => ({
  status,
  authorisedMinor,
  capturedMinor,
  refundedMinor,
});

test.each([
  { when: "nothing is written yet", paid: undefined, refundedMinor: 0n, is: [0n, 0n, 0n] },
  { when: "it is not paid", paid: payment("pending", 0n), refundedMinor: 0n, is: [0n, 0n, 0n] },
  { when: "it is held", paid: payment("authorised", 100n), refundedMinor: 0n, is: [70n, 0n, 0n] },
  { when: "it is paid", paid: payment("captured", 100n, 100n), refundedMinor: 0n, is: [0n, 70n, 0n] },
  { when: "another line is refunded", paid: payment("part_refunded", 100n, 100n, 30n), refundedMinor: 0n, is: [0n, 70n, 0n] },
  { when: "a part of it is refunded", paid: payment("part_refunded", 100n, 100n, 20n), refundedMinor: 20n, is: [0n, 70n, 20n] },
  { when: "all is refunded", paid: payment("refunded", 100n, 100n, 100n), refundedMinor: 70n, is: [0n, 70n, 70n] },
  { when: "the paid order was undone", paid: payment("refunded", 100n, 100n, 100n), refundedMinor: 0n, is: [0n, 70n, 70n] },
  { when: "the held order was undone", paid: payment("cancelled", 100n), refundedMinor: 0n, is: [0n, 0n, 70n] },
  { when: "the card declined", paid: payment("declined", 0n), refundedMinor: 0n, is: [0n, 0n, 0n] },
])("of a line, when $when", ({ paid, refundedMinor, is }) => {
  const { heldMinor, capturedMinor, givenBackMinor } = lineMoneyOf({ amountMinor: 70n, refundedMinor }, paid);
  expect([heldMinor, capturedMinor, givenBackMinor]).toEqual(is);
});
