import { expect } from "vitest";
import type { TestAnswer, TestApi } from "./http-api.ts";
import { until } from "./until.ts";

/** The status of an answer, and the code of a problem. */
export const codeOf = ({ status, body }: TestAnswer) => [status, body["code"]];

/** What tests of reservations ask of the API of the moment. */
export function createReservationClient(api: () => TestApi) {
  return {
    deposit: (user: string, amount: string) => api().call("POST", `/api/v1/balances/${user}/deposits`, { body: { amount } }),
    async reserve(user: string, amount: string, more: Record<string, unknown> = {}) {
      const body = { userId: user, serviceId: "seat", orderId: `order-of-${user}`, amount, ...more };
      const answer = await api().call("POST", "/api/v1/reservations", { body });
      expect(answer.status).toBe(201);
      const id = String(answer.body["reservationId"]);
      return { id, path: `/api/v1/reservations/${id}`, body: answer.body };
    },
    untilStatus: (path: string, status: string) =>
      until(`it is ${status}`, async () => (await api().call("GET", path)).body["status"] === status),
  };
}
