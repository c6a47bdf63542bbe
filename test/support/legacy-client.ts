import { purchaseOperation } from "../../src/domain/ledger/wallet-operations.ts";
import type { LegacyApi } from "./legacy-system.ts";

/** The words of a refusal. */
export function message({ body }: { readonly body: string }): string {
  return (JSON.parse(body) as { message: string }).message;
}

/** A reserve as the earlier interface takes it. Each user has one order. */
export function wish(user: string, amount: number) {
  return { user_id: user, service_id: 1, order_id: `order of ${user}`, amount };
}

/** The requests of the earlier interface, to `legacy` unless said. */
export function createLegacyClient(legacy: () => LegacyApi) {
  return {
    credit: (user: string, amount: number | string, api = legacy()) => api.send("POST", "/api", { id: user, amount }),
    balanceOf: async (user: string) => (JSON.parse((await legacy().send("GET", `/api?id=${user}`)).body) as { balance: number }).balance,
    reserve: (user: string, amount: number, api = legacy()) => api.send("POST", "/api/reserve", wish(user, amount)),
    release: (user: string, amount: number) => legacy().send("DELETE", "/api/reserve", wish(user, amount)),
    purchase: (user: string, amount: number) => legacy().send("POST", "/api/purchase", wish(user, amount)),
    shown: (user: string) => legacy().send("GET", "/api/reserve", wish(user, 0)),
    /** Books a sale at the moment `occurredAt`, past the interface. */
    sell: (key: string, serviceId: string, amountMinor: bigint, occurredAt: string, currency = "RUB") =>
      legacy().api.ledger.post(
        purchaseOperation({
          key,
          userId: "buyer",
          currency,
          amountMinor,
          comment: "a sale",
          origin: { caller: "test", correlationId: "c" },
          paymentMethod: "credit_card",
          occurredAt,
          serviceId,
        }),
      ),
    makeReport: (year: number, month: number) => legacy().send("POST", "/api/report", { year, month }),
    file: (year: number, month: number, api = legacy()) => api.send("GET", `/api/report/${year}/${month}/report.csv`),
  };
}
