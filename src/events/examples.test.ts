import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { traceIdOf } from "../contract/ids.ts";
import { operationCloudEvent, orderCloudEvent, reservationExpiringCloudEvent, type CloudEvent } from "./cloud-event.ts";
import { readLoyaltyEvent } from "./loyalty-event.ts";
import { readOrderRequest } from "./order-request.ts";
import { readPurchaseEvent } from "./purchase-event.ts";
import { readSagaCommand, readSagaReply } from "./saga-messages.ts";

const page = readFileSync(fileURLToPath(new URL("../../docs/events.md", import.meta.url)), "utf8");

/** The example messages that stand in the page under a heading. */
function examplesUnder(heading: string): string[] {
  const [, section = ""] = page.split(`\n## ${heading}\n`);
  const [own = ""] = section.split("\n## ");
  return [...own.matchAll(/```json\n([^`]+)```/g)].flatMap(([, lines = ""]) => lines.trim().split("\n"));
}

it.each([
  ["In: `purchases`", 1, (value: Buffer) => readPurchaseEvent(value, -1)],
  ["In: `loyalty.transactions`", 1, (value: Buffer) => readLoyaltyEvent(value, -1)],
  ["In: `orders.requested`", 1, (value: Buffer) => readOrderRequest(value, -1, "RUB")],
  [
    "Sagas across services: `saga.commands` and `saga.replies`",
    4,
    (value: Buffer) => (value.includes('"status"') ? readSagaReply(value, -1) : readSagaCommand(value, -1, "RUB")),
  ],
] as const)("the examples of the page are taken: %s", (heading, count, read) => {
  const examples = examplesUnder(heading);
  expect(examples).toHaveLength(count);
  for (const example of examples) expect(read(Buffer.from(example)), example).toMatchObject({ ok: true });
});

const at = "2026-11-21T12:12:37.444Z";
const operation = (change: object) =>
  operationCloudEvent({
    outboxId: "1",
    userId: "bob",
    operation: {
      id: "1",
      kind: "expiry",
      currency: "RUB",
      amount_minor: "500",
      user_id: "alice",
      comment: "c",
      correlation_id: "c",
      effective_at: at,
      recorded_at: at,
      ...change,
    },
  });
const order = orderCloudEvent({
  outboxId: "1",
  correlationId: "c",
  payload: {
    orderId: "o",
    userId: "u",
    sagaState: "FAILED",
    status: "CANCELLED",
    version: "3",
    amountMinor: "1",
    currency: "RUB",
    failureCode: "INSUFFICIENT_FUNDS",
    failureMessage: "m",
    recordedAt: at,
  },
});
const disputed = orderCloudEvent({
  outboxId: "1",
  correlationId: "c",
  payload: {
    type: "payment.disputed",
    orderId: "o",
    userId: "u",
    sagaState: "COMPLETED",
    status: "CONFIRMED",
    version: "3",
    amountMinor: "1",
    currency: "EUR",
    failureCode: null,
    failureMessage: null,
    recordedAt: at,
    dispute: {
      disputeId: "dp_1",
      move: "withdrawn",
      status: "needs_response",
      reason: "fraudulent",
      amountMinor: "1",
      currency: "EUR",
      happenedAt: at,
    },
  },
});
const reservation = reservationExpiringCloudEvent({
  outboxId: "1",
  correlationId: "c",
  payload: {
    reservationId: "r",
    userId: "u",
    serviceId: "s",
    orderId: "o",
    heldMinor: "1",
    currency: "RUB",
    expiresAt: at,
    recordedAt: at,
  },
});

it.each<[string, CloudEvent[]]>([
  [
    "Out: `notifications`",
    [operation({ service_id: "s", order_id: "o", hold_id: "h" }), operation({ kind: "transfer", peer_user_id: "bob" })],
  ],
  ["Out: `orders.events`", [order, disputed]],
  ["Out: `reservations.events`", [reservation]],
])("the examples of the page look like what leaves: %s", (heading, made) => {
  const examples = examplesUnder(heading).map((example) => JSON.parse(example) as CloudEvent & { readonly traceparent: string });
  const shapeOf = ({ type, data, ...envelope }: CloudEvent) => ({ type, fields: Object.keys(data), envelope: Object.keys(envelope) });
  const asSent = (event: CloudEvent) => JSON.parse(JSON.stringify(event)) as CloudEvent;
  for (const { traceparent } of examples) expect(traceIdOf(traceparent)).toBeDefined();
  expect(examples.map(({ traceparent: _traceparent, ...event }) => shapeOf(event))).toEqual(made.map(asSent).map(shapeOf));
});
