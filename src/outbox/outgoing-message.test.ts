import { describe, expect, it } from "vitest";
import type { OutboxRow } from "../store/outbox/outbox.ts";
import { toOutgoing } from "./outgoing-message.ts";

const row = (aggregateType: string, payload: Record<string, unknown>): OutboxRow => ({
  id: "7",
  aggregateType,
  aggregateId: "r-1",
  topic: "reservations.events",
  messageKey: "r-1",
  operation: null,
  payload,
  rawKey: null,
  rawValue: null,
  headers: { "correlation-id": "c-1" },
  attempts: 0,
});

const EXPIRING = {
  reservationId: "r-1",
  userId: "ann",
  serviceId: "cleaning",
  orderId: "42",
  heldMinor: "10050",
  currency: "RUB",
  expiresAt: "2026-11-21 12:10:00+03",
  recordedAt: "2026-11-21 12:09:00+03",
};

describe("a row of the outbox about a reservation", () => {
  it("leaves as an event that says until when how much is held", () => {
    const { key, value, headers } = toOutgoing(row("reservation", EXPIRING)).message;
    expect(key).toBe("r-1");
    expect(headers).toMatchObject({ "correlation-id": "c-1" });
    expect(JSON.parse(String(value))).toEqual({
      specversion: "1.0",
      id: "outbox/7",
      source: "saldo",
      type: "saldo.reservation.expiring",
      subject: "r-1",
      time: "2026-11-21T09:09:00.000Z",
      datacontenttype: "application/json",
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/) as string,
      data: {
        reservation_id: "r-1",
        user_id: "ann",
        service_id: "cleaning",
        order_id: "42",
        held: "100.50",
        currency: "RUB",
        expires_at: "2026-11-21T09:10:00.000Z",
        recorded_at: "2026-11-21T09:09:00.000Z",
        correlation_id: "c-1",
      },
    });
  });

  it("of a dispute about an order's payment leaves as an event of its own, and as no state of the order", () => {
    const dispute = {
      disputeId: "dp_1",
      move: "withdrawn",
      status: "needs_response",
      reason: "fraudulent",
      amountMinor: "6000",
      currency: "EUR",
    };
    const order = {
      orderId: "o-1",
      userId: "ann",
      sagaState: "COMPLETED",
      status: "CONFIRMED",
      version: "4",
      amountMinor: "10000",
      currency: "EUR",
    };
    const payload = {
      ...order,
      type: "payment.disputed",
      dispute: { ...dispute, happenedAt: "2031-05-15T00:00:00Z" },
      recordedAt: "2026-11-21 12:09:00+03",
    };
    expect(JSON.parse(String(toOutgoing(row("order", payload)).message.value))).toMatchObject({
      type: "saldo.payment.disputed",
      subject: "o-1",
      time: "2031-05-15T00:00:00.000Z",
      data: {
        order_id: "o-1",
        user_id: "ann",
        dispute_id: "dp_1",
        move: "withdrawn",
        reason: "fraudulent",
        amount: "60.00",
        currency: "EUR",
      },
    });
  });

  it("leaves with the trace of the saga that it belongs to, and a dead letter as it came", () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const raw = (aggregateType: string) => toOutgoing({ ...row(aggregateType, {}), payload: null, headers: { "correlation-id": trace } });
    expect(raw("saga").message.headers?.["traceparent"]).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    expect(raw("dead_letter").message.headers).toEqual({ "correlation-id": trace });
  });

  it("is no message when it lacks a part, or is of a type that nobody knows", () => {
    const { expiresAt: _expiresAt, ...incomplete } = EXPIRING;
    expect(() => toOutgoing(row("reservation", incomplete))).toThrow(/expiresAt/);
    expect(() => toOutgoing(row("unheard-of", EXPIRING))).toThrow(/unknown type/);
  });
});

describe("a row of the outbox about an order", () => {
  const ORDER = {
    orderId: "42",
    userId: "ann",
    sagaState: "COMPENSATING",
    status: "PENDING",
    version: "4",
    amountMinor: "10050",
    currency: "RUB",
    recordedAt: "2026-11-21 12:09:00+03",
  };
  const dataOf = (payload: Record<string, unknown>) =>
    (JSON.parse(String(toOutgoing(row("order", payload)).message.value)) as { data: Record<string, string> }).data;

  it("says which step is stuck and why, and says no more of it when none is", () => {
    expect(dataOf({ ...ORDER, stuck: "refund", reason: "the provider refused" })).toMatchObject({
      saga_state: "COMPENSATING",
      stuck_step: "refund",
      stuck_reason: "the provider refused",
    });
    expect(Object.keys(dataOf({ ...ORDER, stuck: null, reason: "" })).filter((name) => name.startsWith("stuck"))).toEqual([]);
  });
});
