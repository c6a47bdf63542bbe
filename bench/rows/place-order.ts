import type { RawRequest } from "../system/http-pool.ts";
import { PRICE, serviceOf, type ApiSession } from "./api-session.ts";

/** An order of one line from the wallet of the next user, which waits for its outcome. */
export function orderRequest(session: ApiSession, name: string, waitSeconds: number): RawRequest {
  const body = { userId: session.nextUser(), items: [{ serviceId: serviceOf(name), amount: PRICE }], comment: "an order of the benchmark" };
  return session.post("/api/v1/orders", body, { prefer: `wait=${waitSeconds}` });
}

/** Throws: Error when the order is not COMPLETED. */
export function requireCompleted(answer: unknown): void {
  const { sagaState } = answer as { sagaState?: string };
  if (sagaState !== "COMPLETED") throw new Error(`an order of the benchmark is ${sagaState ?? "without a state"}`);
}
